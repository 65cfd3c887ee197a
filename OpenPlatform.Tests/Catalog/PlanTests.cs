using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Catalog;

/// <summary>Terms on offer: everything that gateways know of a plan, revisions that stay, and who feels a change.</summary>
public sealed class PlanTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    [Fact]
    public async Task All_terms_reach_the_snapshot_as_they_were_written()
    {
        using var admin = fixture.Catalog.Operator();
        var plan = await admin.CreateAsync("plans", new
        {
            name = "everything",
            rateLimits = new object[] { new { requests = 10, windowSeconds = 1, burst = 3, exact = true }, new { requests = 1_000_000, windowSeconds = 2_678_400 } },
            quotas = new[] { new { requests = 1_000_000_000_000, period = "month" }, new { requests = 5L, period = "day" } },
            priority = 9, schemes = new[] { "hmac", "http-signature" }, replayCheck = true, scopes = new[] { "orders:read" },
        });

        var model = await ModelAsync(plan);

        Assert.Equal([new(10, 1) { Burst = 3, Exact = true }, new(1_000_000, 2_678_400)], model!.RateLimits);
        Assert.Equal([new(1_000_000_000_000, "month"), new(5, "day")], model.Quotas!);
        Assert.Equal((9, true), (model.Priority, model.ReplayCheck));
        Assert.Equal(["hmac", "http-signature"], model.Schemes!);
        Assert.Equal(["orders:read"], model.Scopes!);
    }

    [Theory]
    [InlineData("""{"quotas":[{"requests":1,"period":"week"}]}""", "/quotas/0/period")]
    [InlineData("""{"quotas":[null]}""", "/quotas/0/requests", "/quotas/0/period")]
    [InlineData("""{"quotas":[{"requests":1,"period":"day"},{"requests":2,"period":"day"}]}""", "/quotas/1/period")]
    [InlineData("""{"priority":10}""", "/priority")]
    [InlineData("""{"schemes":["password"]}""", "/schemes/0")]
    [InlineData("""{"schemes":[]}""", "/schemes")]
    [InlineData("""{"replayCheck":true}""", "/replayCheck")]
    [InlineData("""{"scopes":["a b"]}""", "/scopes/0")]
    [InlineData("""{"rateLimits":[{"requests":5,"windowSeconds":60,"burst":6}]}""", "/rateLimits/0/burst")]
    [InlineData("""{"apis":[]}""", "/apis")]
    [InlineData("""{"apis":["0199f6f0-0000-7000-8000-000000000000"]}""", "/apis/0")]
    [InlineData("""{"state":"retired"}""", "/state")]
    public async Task Terms_that_cannot_be_are_refused_at_their_member(string terms, params string[] pointers)
    {
        using var admin = fixture.Catalog.Operator();
        var body = JsonNode.Parse(terms)!.AsObject();
        body["name"] = "broken";
        using var response = await admin.PostAsJsonAsync("/admin/v1/plans", body);
        Assert.Equal(pointers, await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task A_change_of_terms_is_a_new_revision_for_all_subscriptions_at_once_and_the_answer_says_for_whom()
    {
        using var admin = fixture.Catalog.Operator();
        var subscription = await admin.CreateAsync("subscriptions", await new Parts(admin).BodyAsync("subscriptions"));
        var id = subscription["planId"]!.GetValue<string>();

        using var patched = await PatchAsync(admin, id, "\"1\"", new { rateLimits = new[] { new { requests = 7, windowSeconds = 60 } } });
        var plan = await patched.JsonAsync();

        Assert.Equal(2, plan["revision"]!.GetValue<int>());
        Assert.Equal(1, plan["affectedSubscriptions"]!.GetValue<int>());
        Assert.Equal(subscription.Id(), Assert.Single(plan["affected"]!.AsArray())!["subscriptionId"]!.GetValue<string>());
        Assert.Equal([new(7, 60)], (await ModelAsync(plan))!.RateLimits);
        var revisions = (await admin.GetFromJsonAsync<JsonObject>($"/admin/v1/plans/{id}/revisions"))!["items"]!.AsArray();
        Assert.Equal([2, 1], revisions.Select(static revision => revision!["revision"]!.GetValue<int>()));
        Assert.Equal(5, revisions[1]!["rateLimits"]![0]!["requests"]!.GetValue<int>());

        // A name and the need of approval are not terms.
        using var renamed = await PatchAsync(admin, id, "\"2\"", new { name = $"renamed-{id[^6..]}", approvalRequired = true });
        Assert.Equal((2, 0), ((await renamed.JsonAsync())["revision"]!.GetValue<int>(), (await renamed.JsonAsync())["affectedSubscriptions"]!.GetValue<int>()));
        using var nothing = await PatchAsync(admin, id, "\"3\"", new { approvalRequired = true });
        Assert.Equal("\"3\"", nothing.Headers.ETag?.Tag);
        using var state = await PatchAsync(admin, id, "*", new { state = "draft" });
        Assert.Equal(["/state"], await state.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        using var stale = await PatchAsync(admin, id, "\"1\"", new { priority = 1 });
        await stale.ProblemAsync(HttpStatusCode.PreconditionFailed);
    }

    [Fact]
    public async Task A_draft_is_nothing_to_gateways_and_a_retired_plan_is_for_those_who_have_it()
    {
        using var admin = fixture.Catalog.Operator();
        var parts = new Parts(admin);
        var body = await parts.BodyAsync("plans");
        body["state"] = "draft";
        var plan = await admin.CreateAsync("plans", body);
        Assert.Null(await ModelAsync(plan));
        var wanted = await parts.BodyAsync("subscriptions");
        wanted["planId"] = plan.Id();
        await RefusedAsync(admin, wanted);

        using var published = await admin.ActAsync($"plans/{plan.Id()}:publish", "*");
        Assert.NotNull(await ModelAsync(plan));
        await admin.CreateAsync("subscriptions", wanted);

        using var retired = await admin.ActAsync($"plans/{plan.Id()}:retire", "*");
        Assert.Equal("retired", (await retired.JsonAsync())["state"]!.GetValue<string>());
        Assert.NotNull(await ModelAsync(plan));
        wanted["applicationId"] = await parts.NewAsync("applications");
        await RefusedAsync(admin, wanted);
        using var back = await admin.ActAsync($"plans/{plan.Id()}:publish", "*");
        await back.ProblemAsync(HttpStatusCode.Conflict);
        using var changed = await PatchAsync(admin, plan.Id(), "*", new { priority = 1 });
        await changed.ProblemAsync(HttpStatusCode.Conflict);
        using var deleted = await DeleteAsync(admin, $"plans/{plan.Id()}");
        await deleted.ProblemAsync(HttpStatusCode.Conflict);

        using var unused = await DeleteAsync(admin, $"plans/{await parts.NewAsync("plans")}");
        Assert.Equal(HttpStatusCode.NoContent, unused.StatusCode);

        async Task RefusedAsync(HttpClient client, JsonObject subscription)
        {
            using var refused = await client.PostAsJsonAsync("/admin/v1/subscriptions", subscription);
            Assert.Equal(["/planId"], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        }
    }

    [Fact]
    public async Task A_plan_that_is_offered_for_some_APIs_cannot_be_had_for_another()
    {
        using var admin = fixture.Catalog.Operator();
        var parts = new Parts(admin);
        var wanted = await parts.BodyAsync("subscriptions");
        var other = await admin.CreateAsync("apis", await parts.BodyAsync("apis"));
        var plan = await parts.BodyAsync("plans");
        plan["apis"] = new JsonArray(other.Id());
        var offered = await admin.CreateAsync("plans", plan);
        Assert.Equal(other.Id(), Assert.Single(offered["apis"]!.AsArray())!.GetValue<string>());
        wanted["planId"] = offered.Id();
        using (var refused = await admin.PostAsJsonAsync("/admin/v1/subscriptions", wanted))
        {
            Assert.Equal(["/planId"], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        }

        wanted["versionId"] = other["versions"]![0]!.Id();
        await admin.CreateAsync("subscriptions", wanted);
        using var everywhere = await PatchAsync(admin, offered.Id(), "*", new { apis = (string[]?)null });
        Assert.Null((await everywhere.JsonAsync())["apis"]);
    }

    [Fact]
    public async Task A_revision_is_immutable_in_the_database()
    {
        using var admin = fixture.Catalog.Operator();
        var id = Guid.Parse(await new Parts(admin).NewAsync("plans"));
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        foreach (var sql in new[]
        {
            "update plan_revisions set terms = '{\"rateLimits\":[]}' where plan_id = @id",
            "delete from plan_revisions where plan_id = @id",
            "update plans set state = 'draft' where id = @id",
            "update plans set current_revision = 7 where id = @id",
            "insert into plan_revisions (plan_id, revision, terms, created_at) values (@id, 2, '{\"rateLimits\":[],\"priority\":10}', now())",
            "insert into plan_revisions (plan_id, revision, terms, created_at) values (@id, 2, '{\"rateLimits\":{}}', now())",
        })
        {
            await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(sql, new { id }));
        }
    }

    private async Task<PlanModel?> ModelAsync(JsonObject plan) =>
        (await fixture.Catalog.SnapshotAsync()).Plans.SingleOrDefault(model => model.PlanId.ToString() == plan.Id());

    private static Task<HttpResponseMessage> PatchAsync(HttpClient admin, string id, string ifMatch, object patch) => admin.PatchAsync($"plans/{id}", ifMatch, patch);

    private static Task<HttpResponseMessage> DeleteAsync(HttpClient admin, string path) => admin.DeleteAsync(path, "*");
}
