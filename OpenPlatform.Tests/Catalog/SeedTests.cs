using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Catalog.Apis;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

[Collection(Beside.Name)]
public sealed class SeedTests(SharedPostgres postgres)
{
    private const string DemoKey = "opk_demo0123456789ABCDEFGHIJKLMNOPQRSTUV";

    [Fact]
    public async Task Replicas_that_start_together_seed_once_and_the_demo_key_has_a_right_to_the_orders()
    {
        var database = await postgres.CreateDatabaseAsync();
        await using var first = Development(database, DemoKey);
        await using var second = Development(database, DemoKey);
        await using var third = Development(database, DemoKey);
        await Task.WhenAll(first.ReadyAsync(), second.ReadyAsync(), third.ReadyAsync());

        var snapshot = await second.SnapshotAsync();

        Assert.Equal(2, snapshot.Revision); // the empty one, and the demo
        Assert.Empty(SnapshotValidator.Validate(snapshot));
        var api = Assert.Single(snapshot.Apis);
        Assert.Equal(("orders", "v1", "/orders/v1"), (api.Name, api.Version, api.BasePath));
        Assert.Equal(
            ["GET /orders", "GET /orders/{id}", "POST /orders", "GET /slow", "GET /error"],
            api.Operations.Select(operation => $"{operation.Method} {operation.PathTemplate}"));
        Assert.Equal("orders", Assert.Single(snapshot.Backends).Service);
        Assert.Equal(["demo", "trial"], snapshot.Plans.Select(plan => plan.Name).Order());
        Assert.Equal([new RateLimitModel(5, 60)], snapshot.Plans.Single(plan => plan.Name == "trial").RateLimits);
        var application = Assert.Single(snapshot.Applications);
        var credential = Assert.Single(snapshot.Credentials);
        Assert.Equal(application.ApplicationId, credential.ApplicationId);
        Assert.True(credential.Hash.Span.SequenceEqual(HashOf(DemoKey)));
        var right = Assert.Single(snapshot.Subscriptions);
        Assert.Equal((application.ApplicationId, api.VersionId), (right.ApplicationId, right.VersionId));
        Assert.Equal("demo", snapshot.Plans.Single(plan => plan.PlanId == right.PlanId).Name);
    }

    [Fact]
    public async Task The_seeded_operations_are_those_that_the_sample_describes_itself()
    {
        await using var sample = await ServiceProcess.StartAsync("Orders.dll", new Dictionary<string, string> { ["ConnectionStrings__redis"] = "127.0.0.1:1", ["OpenPlatform__Leases__Key"] = "lease-key-of-the-tests" });
        using var client = new HttpClient { BaseAddress = sample.Address };
        var document = JsonNode.Parse(await client.GetStringAsync("/openapi/v1.json"));
        await using var catalog = Development(await postgres.CreateDatabaseAsync(), DemoKey);
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        var seeded = Assert.Single((await catalog.SnapshotAsync()).Apis);

        await admin.CreateAsync("apis", new { name = "imported", version = "v1", basePath = "/imported", backendId = seeded.BackendId, openApi = document });

        var imported = Assert.Single((await catalog.SnapshotAsync()).Apis, api => api.Name == "imported");
        Assert.Equal(
            imported.Operations.OrderBy(operation => operation.OperationId, StringComparer.Ordinal),
            seeded.Operations.OrderBy(operation => operation.OperationId, StringComparer.Ordinal));
    }

    [Fact]
    public async Task Another_demo_key_takes_the_place_of_the_one_before_and_back()
    {
        var database = await postgres.CreateDatabaseAsync();
        foreach (var key in new[] { DemoKey, DemoKey + "2", DemoKey })
        {
            await using var catalog = Development(database, key);
            await catalog.ReadyAsync();
            var credential = Assert.Single((await catalog.SnapshotAsync()).Credentials);
            Assert.True(credential.Hash.Span.SequenceEqual(HashOf(key)));
        }
    }

    [Fact]
    public async Task What_an_operator_changed_stays_changed_after_a_restart()
    {
        var database = await postgres.CreateDatabaseAsync();
        long revision;
        await using (var catalog = Development(database, DemoKey))
        {
            await catalog.ReadyAsync();
            using var admin = catalog.Operator();
            var right = Assert.Single((await catalog.SnapshotAsync()).Subscriptions);
            using var cancelled = await admin.ActAsync($"subscriptions/{right.SubscriptionId}:cancel", "*");
            revision = (await catalog.SnapshotAsync()).Revision;
        }

        await using var again = Development(database, DemoKey);
        await again.ReadyAsync();
        var snapshot = await again.SnapshotAsync();
        Assert.Equal(revision, snapshot.Revision);
        Assert.Empty(snapshot.Subscriptions);
    }

    [Fact]
    public async Task Production_starts_with_an_empty_first_revision()
    {
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync(), "Production", ("OpenPlatform:DemoKey", DemoKey));
        await catalog.ReadyAsync();
        var snapshot = await catalog.SnapshotAsync();
        Assert.Equal(1, snapshot.Revision);
        Assert.Empty(snapshot.Apis);
        Assert.Empty(snapshot.Credentials);
    }

    [Fact]
    public async Task The_orders_example_applies_to_what_is_seeded()
    {
        await using var catalog = Development(await postgres.CreateDatabaseAsync(), DemoKey);
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();

        using var applied = await admin.PostAsJsonAsync("/admin/v1/changesets", new { puts = await DeclaredApiTests.OrdersSampleAsync() });

        Assert.True(applied.IsSuccessStatusCode, await applied.Content.ReadAsStringAsync()); // nothing that the demo publishes is taken away
    }

    private static CatalogServer Development(string database, string key) => new(database, "Development", ("OpenPlatform:DemoKey", key));

    private static byte[] HashOf(string key)
    {
        var hash = new byte[KeyHash.Size];
        Assert.True(KeyHash.TryCompute(Encoding.UTF8.GetBytes(CatalogServer.Pepper), key, hash));
        return hash;
    }
}
