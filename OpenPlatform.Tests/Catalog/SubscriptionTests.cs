using System.Net;
using System.Net.Http.Json;
using OpenPlatform.Catalog.Subscriptions;
using OpenPlatform.Tests.Catalog.Access;

namespace OpenPlatform.Tests.Catalog;

public sealed class SubscriptionTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    [Theory]
    [InlineData("approve", "active", true)]
    [InlineData("reject", "rejected", false)]
    [InlineData("cancel", "cancelled", false)]
    public async Task A_pending_subscription_can_be_decided(string verb, string state, bool lets)
    {
        using var admin = fixture.Catalog.Operator();
        var id = (await CreatePendingAsync(admin)).Id();

        using var moved = await admin.ActAsync($"subscriptions/{id}:{verb}", "\"1\"");

        Assert.Equal(state, (await moved.JsonAsync())["state"]!.GetValue<string>());
        Assert.Equal(lets, (await fixture.Catalog.SnapshotAsync()).Subscriptions.Any(model => model.SubscriptionId.ToString() == id));
    }

    [Theory]
    [InlineData("reject", "approve")]
    [InlineData("cancel", "approve")]
    [InlineData("approve", "reject")]
    [InlineData("reject", "cancel")]
    public async Task What_has_ended_or_begun_cannot_be_undone(string first, string then)
    {
        using var admin = fixture.Catalog.Operator();
        var id = (await CreatePendingAsync(admin)).Id();
        using var moved = await admin.ActAsync($"subscriptions/{id}:{first}", "*");
        Assert.Equal(HttpStatusCode.OK, moved.StatusCode);

        using var refused = await admin.ActAsync($"subscriptions/{id}:{then}", "*");

        await refused.ProblemAsync(HttpStatusCode.Conflict);
    }

    [Fact]
    public async Task After_a_cancelled_subscription_there_may_be_another()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("subscriptions");
        var first = await admin.CreateAsync("subscriptions", body);
        using var cancelled = await admin.ActAsync($"subscriptions/{first.Id()}:cancel", "*");

        var second = await admin.CreateAsync("subscriptions", body);

        var list = await admin.GetFromJsonAsync<System.Text.Json.Nodes.JsonObject>($"/admin/v1/subscriptions?application={second["applicationId"]}");
        Assert.Equal(["cancelled", "active"], list!["items"]!.AsArray().Select(item => item!["state"]!.GetValue<string>()));
    }

    [Fact]
    public async Task They_are_found_by_their_state_as_answers_write_it()
    {
        using var admin = fixture.Catalog.Operator();
        var application = (await CreatePendingAsync(admin))["applicationId"]!.GetValue<string>();
        foreach (var (state, found) in new[] { ("pending", 1), ("Pending", 1), ("active", 0), ("paused", 0), ("cancelled", 0), ("rejected", 0) })
        {
            var list = await admin.GetFromJsonAsync<System.Text.Json.Nodes.JsonObject>($"/admin/v1/subscriptions?application={application}&state={state}");
            Assert.Equal(found, list!["items"]!.AsArray().Count);
        }

        foreach (var wrong in new[] { "waiting", "7", "" })
        {
            using var refused = await admin.GetAsync($"/admin/v1/subscriptions?state={wrong}");
            Assert.Equal(["?state"], await refused.ProblemAsync(HttpStatusCode.BadRequest));
        }
    }

    [Fact]
    public async Task Nobody_begins_with_a_deprecated_version_unless_somebody_who_decides_says_so()
    {
        using var admin = fixture.Catalog.Operator();
        var there = await new Parts(admin).BodyAsync("subscriptions");
        var version = there["versionId"]!.GetValue<string>();
        var api = (await admin.GetFromJsonAsync<System.Text.Json.Nodes.JsonObject>("/admin/v1/apis?limit=200"))!["items"]!.AsArray().Single(item => item!["versions"]!.AsArray().Any(v => v!.Id() == version))!.Id();
        await admin.CreateAsync("subscriptions", there);
        using var deprecated = await admin.ActAsync($"apis/{api}/versions/{version}:deprecate", "*", new { });
        Assert.Equal(HttpStatusCode.OK, deprecated.StatusCode);

        // A partner that is new to it, by itself, with a wish of its own, and let in by an approver.
        var organization = await admin.CreateAsync("organizations", new { name = $"late {Guid.NewGuid():N}" });
        var application = await admin.CreateAsync("applications", new { organizationId = organization.Id(), name = "late" });
        var body = new System.Text.Json.Nodes.JsonObject { ["applicationId"] = application.Id(), ["versionId"] = version, ["planId"] = there["planId"]!.GetValue<string>() };
        using var developer = fixture.Catalog.With((await admin.TokenAsync("developer", organization.Id())).Token);
        using var late = await developer.PostAsJsonAsync("/admin/v1/subscriptions", body);
        Assert.Equal(["/versionId"], await late.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        body["allowDeprecated"] = true;
        using var wished = await developer.PostAsJsonAsync("/admin/v1/subscriptions", body);
        Assert.Equal(["/allowDeprecated"], await wished.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        await admin.CreateAsync("subscriptions", body);
    }

    [Fact]
    public async Task A_suspended_application_is_marked_in_the_snapshot_until_it_is_resumed()
    {
        using var admin = fixture.Catalog.Operator();
        var id = await new Parts(admin).NewAsync("applications");

        using var suspended = await admin.ActAsync($"applications/{id}:suspend", "\"1\"");
        Assert.True(await IsSuspendedAsync(id));
        using var resumed = await admin.ActAsync($"applications/{id}:resume", suspended.Headers.ETag!.Tag);
        Assert.False(await IsSuspendedAsync(id));
        using var unknown = await admin.ActAsync($"applications/{Guid.NewGuid()}:suspend", "*");
        await unknown.ProblemAsync(HttpStatusCode.NotFound);
    }

    [Fact]
    public void No_sequence_of_moves_leaves_an_end()
    {
        foreach (var end in new[] { SubscriptionState.Cancelled, SubscriptionState.Rejected })
        {
            Assert.All(Enum.GetValues<SubscriptionMove>(), move => Assert.True((SubscriptionMoves.After(end, asksForPlan: false, move) ?? end) == end));
        }
    }

    private async Task<bool> IsSuspendedAsync(string id) =>
        Assert.Single((await fixture.Catalog.SnapshotAsync()).Applications, model => model.ApplicationId.ToString() == id).Suspended;

    private static async Task<System.Text.Json.Nodes.JsonObject> CreatePendingAsync(HttpClient admin)
    {
        var parts = new Parts(admin);
        var body = await parts.BodyAsync("subscriptions");
        var plan = await parts.BodyAsync("plans");
        plan["approvalRequired"] = true;
        body["planId"] = (await admin.CreateAsync("plans", plan)).Id();
        return await admin.CreateAsync("subscriptions", body);
    }
}
