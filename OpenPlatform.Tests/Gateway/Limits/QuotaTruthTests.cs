using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Limits;

/// <summary>The truth of a quota is in Postgres: neither an emptied Redis nor a new gateway gives it anew.</summary>
public sealed class QuotaTruthTests(RedisServerFixture server) : IClassFixture<RedisServerFixture>
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
