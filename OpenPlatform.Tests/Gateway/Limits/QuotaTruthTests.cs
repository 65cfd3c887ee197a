using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Tests.Catalog;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Limits;

/// <summary>The truth of a quota is in Postgres: neither an emptied Redis nor a new gateway gives it anew.</summary>
public sealed class QuotaTruthTests(RedisServerFixture server, SharedPostgres postgres) : IClassFixture<RedisServerFixture>
{
    private const int Quota = 300;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true, Quota)]
    [InlineData(true, 100)]
    [InlineData(false, Quota)] // no Redis at all
    [InlineData(false, 100)]
    public async Task What_was_used_of_a_quota_stays_used_when_Redis_is_emptied_and_the_gateway_new(bool redis, int used)
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(Snapshot(backend));
        await WipeAsync(); // of what the case before used up
        await using (var first = await StartAsync(catalog, redis))
        {
            using var client = first.Client();
            Assert.Equal(used, await AllowedAsync(client, used));
        }

        Assert.Equal(used, catalog.Units); // a gateway that ends has told all
        await WipeAsync();
        await using var second = await StartAsync(catalog, redis);
        using var again = second.Client();
        Assert.Equal(Quota - used, await AllowedAsync(again, (Quota - used) + 20));
        using var refused = await again.GetAsync("/orders/v1/orders", Stop);
        await PipelineTests.AssertRefusedAsync(refused, HttpStatusCode.TooManyRequests, "quota-used-up");
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.InRange(catalog.UsedUnitsAsked, 1, 2); // of each gateway once, and not for each request
    }

    [Fact]
    public async Task With_Redis_emptied_and_the_catalog_away_a_new_gateway_gives_a_hundredth_and_all_of_the_rest_when_it_is_back()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(Snapshot(backend));
        catalog.RefusesUsedUnits = true;
        await WipeAsync();
        await using var gateway = await StartAsync(catalog, redis: true);
        using var client = gateway.Client();
        var onTrust = await AllowedAsync(client, 30);
        Assert.InRange(onTrust, 1, 4);

        catalog.RefusesUsedUnits = false;
        await Eventually.TrueAsync(async () =>
        {
            var now = await AllowedAsync(client, 1);
            onTrust += now;
            return now == 1;
        });
        Assert.InRange(onTrust + await AllowedAsync(client, Quota), Quota - 5, Quota);
    }

    [Fact]
    public async Task While_Redis_remembers_the_catalog_is_not_asked()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(Snapshot(backend));
        await WipeAsync();
        await using (var first = await StartAsync(catalog, redis: true))
        {
            using var client = first.Client();
            Assert.Equal(1, await AllowedAsync(client, 1));
        }

        var asked = catalog.UsedUnitsAsked;
        catalog.RefusesUsedUnits = true;
        await using var second = await StartAsync(catalog, redis: true);
        using var again = second.Client();
        Assert.InRange(await AllowedAsync(again, Quota), Quota - 6, Quota - 1);
        Assert.Equal(asked, catalog.UsedUnitsAsked);
    }

    /// <summary>The same with the catalog itself, on a real Postgres, from the plan to the refusal.</summary>
    [Fact]
    public async Task A_quota_used_up_is_used_up_in_Postgres()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync());
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        var upstream = await admin.CreateAsync("backends", new { name = "quota", addresses = new[] { backend.Address } });
        var api = await admin.CreateAsync("apis", new
        {
            name = "orders", version = "v1", basePath = "/orders/v1", backendId = upstream.Id(),
            operations = new[] { new { operationId = "list", method = "GET", pathTemplate = "/orders" } },
        });
        var plan = await admin.CreateAsync("plans", new { name = "twenty", quotas = new[] { new { requests = 20, period = "month" } } });
        var organization = await admin.CreateAsync("organizations", new { name = "Quota Ltd." });
        var application = await admin.CreateAsync("applications", new { organizationId = organization.Id(), name = "caller" });
        var credential = await admin.CreateAsync("credentials", new { applicationId = application.Id() });
        await admin.CreateAsync("subscriptions", new { applicationId = application.Id(), versionId = api["versions"]![0]!.Id(), planId = plan.Id() });
        var state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
        var address = admin.BaseAddress!.ToString();

        await WipeAsync();
        Assert.Equal(20, await RunAsync(25));
        await WipeAsync();
        Assert.Equal(0, await RunAsync(5));

        // And with the catalog away a gateway trusts with a hundredth, at least one unit; its snapshot is on disk.
        await catalog.DisposeAsync();
        await WipeAsync();
        Assert.Equal(1, await RunAsync(5));
        Directory.Delete(state, recursive: true);

        async Task<int> RunAsync(int tries)
        {
            await using var gateway = await GatewayHost.StartAsync(catalog: null, stateDirectory: state, untilReady: false, settings:
            [
                ("services:catalog:http:0", address), ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:KeyPepper", CatalogServer.Pepper),
                ("ConnectionStrings:redis", server.ConnectionString), ("OpenPlatform:Gateway:Limits:LoanDeadline", "00:00:10"),
            ]);
            await Eventually.TrueAsync(() => gateway.Snapshot.Current is not null);
            await LimitTests.WarmAsync(gateway.Services.GetRequiredService<TokenLender>());
            using var client = gateway.Client(credential["key"]!.GetValue<string>());
            return await AllowedAsync(client, tries);
        }
    }

    private static Snapshot Snapshot(TestBackend backend)
    {
        var snapshot = TestSnapshot.Create([backend.Address]);
        return snapshot with { Plans = [snapshot.Plans[0] with { Quotas = [new(Quota, QuotaModel.Month)] }] };
    }

    /// <summary>It keeps nothing on disk.</summary>
    private async Task WipeAsync()
    {
        await server.KillAsync();
        await server.StartAsync();
    }

    private async Task<GatewayHost> StartAsync(TestCatalog catalog, bool redis)
    {
        var gateway = await GatewayHost.StartAsync(catalog, settings:
        [
            ("OpenPlatform:Gateway:Limits:LoanDeadline", "00:00:10"), .. redis ? [("ConnectionStrings:redis", server.ConnectionString)] : Array.Empty<(string, string)>(),
        ]);
        if (redis)
        {
            await LimitTests.WarmAsync(gateway.Services.GetRequiredService<TokenLender>());
        }

        return gateway;
    }

    private static async Task<int> AllowedAsync(HttpClient client, int tries)
    {
        var allowed = 0;
        for (var i = 0; i < tries; i++)
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            allowed += response.StatusCode == HttpStatusCode.OK ? 1 : 0;
        }

        return allowed;
    }
}
