using System.Net;
using System.Text.Json.Nodes;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenPlatform.Catalog.Applications;
using OpenPlatform.Catalog.Credentials;
using OpenPlatform.Catalog.Organizations;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Subscriptions;

namespace OpenPlatform.Tests.Catalog;

/// <summary>Organizations and their applications: what can be changed, what goes with what, and who sees it.</summary>
public sealed class PartnerTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    [Fact]
    public async Task An_application_is_renamed_and_bound_to_addresses()
    {
        using var admin = fixture.Catalog.Operator();
        var id = await new Parts(admin).NewAsync("applications");
        using var patched = await admin.PatchAsync($"applications/{id}", "\"1\"", new { name = "renamed", addresses = new { allow = new[] { "10.0.0.0/8", "::1" } } });
        Assert.Equal(("\"2\"", "renamed"), (patched.Headers.ETag?.Tag, (await patched.JsonAsync())["name"]!.GetValue<string>()));
        var model = Assert.Single((await fixture.Catalog.SnapshotAsync()).Applications, model => model.ApplicationId.ToString() == id);
        Assert.Equal(["10.0.0.0/8", "::1"], model.Addresses!.Allow!);

        using var wrong = await admin.PatchAsync($"applications/{id}", "*", new { addresses = new { allow = new[] { "10.0.0.1/8" } } });
        Assert.Equal(["/addresses/allow/0"], await wrong.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        using var moved = await admin.PatchAsync($"applications/{id}", "*", new { organizationId = await new Parts(admin).NewAsync("organizations") });
        Assert.Equal(["/organizationId"], await moved.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        using var unknown = await admin.PatchAsync($"applications/{id}", "*", new { nmae = "x" });
        Assert.Equal(["/nmae"], await unknown.ProblemAsync(HttpStatusCode.BadRequest));
        using var everywhere = await admin.PatchAsync($"applications/{id}", "*", new { addresses = (object?)null });
        Assert.Null(Assert.Single((await fixture.Catalog.SnapshotAsync()).Applications, model => model.ApplicationId.ToString() == id).Addresses);
    }

    [Fact]
    public async Task What_is_in_use_is_not_deleted()
    {
        using var admin = fixture.Catalog.Operator();
        var subscription = await admin.CreateAsync("subscriptions", await new Parts(admin).BodyAsync("subscriptions"));
        var application = subscription["applicationId"]!.GetValue<string>();
        var organization = JsonNode.Parse(await admin.GetStringAsync($"/admin/v1/applications/{application}"))!["organizationId"]!.GetValue<string>();
        await admin.CreateAsync("credentials", new { applicationId = application });

        using (var used = await admin.DeleteAsync($"applications/{application}", "*"))
        {
            await used.ProblemAsync(HttpStatusCode.Conflict);
        }

        using (var owning = await admin.DeleteAsync($"organizations/{organization}", "*"))
        {
            await owning.ProblemAsync(HttpStatusCode.Conflict);
        }

        using var cancelled = await admin.ActAsync($"subscriptions/{subscription.Id()}:cancel", "*");
        using var deleted = await admin.DeleteAsync($"applications/{application}", "\"1\"");
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.DoesNotContain((await fixture.Catalog.SnapshotAsync()).Credentials, model => model.ApplicationId.ToString() == application);
        using var empty = await admin.DeleteAsync($"organizations/{organization}", "*");
        Assert.Equal(HttpStatusCode.NoContent, empty.StatusCode);
        using var gone = await admin.GetAsync($"/admin/v1/organizations/{organization}");
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
    }

    [Fact]
    public async Task A_developer_sees_and_changes_nothing_of_another_organization()
    {
        using var admin = fixture.Catalog.Operator();
        var subscription = await admin.CreateAsync("subscriptions", await new Parts(admin).BodyAsync("subscriptions"));
        var foreign = Guid.Parse(subscription["applicationId"]!.GetValue<string>());
        var credential = Guid.Parse((await admin.CreateAsync("credentials", new { applicationId = foreign })).Id());
        var own = await admin.CreateAsync("applications", await new Parts(admin).BodyAsync("applications"));
        var developer = new Caller("account:dev", [Role.Developer], Guid.Parse(own["organizationId"]!.GetValue<string>()));
        var services = fixture.Catalog.Services;
        var (applications, credentials, subscriptions, organizations) = (services.GetRequiredService<ApplicationStore>(), services.GetRequiredService<CredentialStore>(),
            services.GetRequiredService<SubscriptionStore>(), services.GetRequiredService<OrganizationStore>());
        var all = new PageStart(Guid.Empty, 200);
        var stop = TestContext.Current.CancellationToken;
        var stranger = Guid.Parse(JsonNode.Parse(await admin.GetStringAsync($"/admin/v1/applications/{foreign}", stop))!["organizationId"]!.GetValue<string>());

        Assert.Equal(own.Id(), Assert.Single(await applications.ListAsync(developer, null, all, stop)).Id.ToString());
        Assert.Empty(await applications.ListAsync(developer, stranger, all, stop));
        Assert.Empty(await credentials.ListAsync(developer, foreign, all, stop));
        Assert.Empty(await credentials.ListAsync(developer, null, all, stop));
        Assert.Empty(await subscriptions.ListAsync(developer, new(foreign, null, null, null), all, stop));
        Assert.Equal(developer.OrganizationId, Assert.Single(await organizations.ListAsync(developer, all, stop)).Id);
        Assert.Null(await applications.FindOrNullAsync(developer, foreign));
        Assert.Null(await credentials.FindOrNullAsync(developer, credential));
        Assert.Null(await subscriptions.FindOrNullAsync(developer, Guid.Parse(subscription.Id())));
        Assert.Null(await organizations.FindOrNullAsync(developer, stranger));

        var any = await AnyAsync();
        var id = Guid.Parse(subscription.Id());
        foreach (var status in new[]
        {
            await WriteAsync(change => ApplicationStore.SetSuspendedAsync(change, foreign, suspended: true, any)),
            await WriteAsync(change => ApplicationStore.DeleteAsync(change, foreign, any)),
            await WriteAsync(change => CredentialStore.RevokeAsync(change, credential, any)),
            await WriteAsync(change => SubscriptionStore.MoveAsync(change, id, SubscriptionMove.Cancel, any)),
            await WriteAsync(change => SubscriptionStore.ChangePlanAsync(change, id, Guid.NewGuid(), any)),
            await WriteAsync(change => OrganizationStore.DeleteAsync(change, stranger, any)),
        })
        {
            Assert.Equal(404, status);
        }

        Assert.Equal(422, await WriteAsync(change => ApplicationStore.InsertAsync(change, new(stranger, "intruder"))));
        Assert.Equal(422, await WriteAsync(change => SubscriptionStore.InsertAsync(change, new(foreign, Guid.Parse(subscription["versionId"]!.GetValue<string>()), Guid.Parse(subscription["planId"]!.GetValue<string>())))));

        async Task<int?> WriteAsync<T>(Func<ConfigChange, Task<Outcome<T>>> write) =>
            (await services.GetRequiredService<ConfigChanges>().ApplyAsync(change => write(change with { Caller = developer }), stop)).Problem?.Status;
    }

    [Fact]
    public async Task Every_list_is_read_by_an_index()
    {
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        var developer = new Caller("account:dev", [Role.Developer], Guid.NewGuid());
        var one = Guid.NewGuid();
        var parameters = new
        {
            application = one, Application = one, Version = one, Plan = one, State = "active", developer.OrganizationId, organization = one, After = Guid.Empty, Fetch = 51,
        };

        // The tables are small here: without this the planner rightly reads them whole. What no index can answer stays a sequential scan.
        await connection.ExecuteAsync("set enable_seqscan = off");
        foreach (var sql in new[]
        {
            CredentialStore.ListSql(null, Caller.System), CredentialStore.ListSql(one, Caller.System), CredentialStore.ListSql(null, developer), CredentialStore.ListSql(one, developer),
            SubscriptionStore.ListSql(new(null, null, null, null), Caller.System), SubscriptionStore.ListSql(new(one, null, null, null), Caller.System),
            SubscriptionStore.ListSql(new(null, one, null, null), Caller.System), SubscriptionStore.ListSql(new(null, null, one, null), Caller.System),
            SubscriptionStore.ListSql(new(null, null, null, SubscriptionState.Active), Caller.System), SubscriptionStore.ListSql(new(null, null, null, null), developer),
            ApplicationStore.ListSql(null), ApplicationStore.ListSql(one), OrganizationStore.ListSql(Caller.System), OrganizationStore.ListSql(developer),
            OpenPlatform.Catalog.Plans.PlanStore.ListSql(drafts: true),
            OpenPlatform.Catalog.Plans.PlanStore.ListSql(drafts: false),
        })
        {
            var plan = string.Join('\n', await connection.QueryAsync<string>("explain " + sql, parameters));
            Assert.Contains("Index", plan, StringComparison.Ordinal);
            Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
        }
    }

    private static async Task<IfMatch> AnyAsync()
    {
        var context = new Microsoft.AspNetCore.Http.DefaultHttpContext();
        context.Request.Headers.IfMatch = "*";
        return (await IfMatch.BindAsync(context, null!))!;
    }
}
