using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Limits;

/// <summary>Three gateways, one Redis, four fifths of the traffic at one of them.</summary>
public sealed class ThreeReplicaTests(RedisServerFixture server) : IClassFixture<RedisServerFixture>
{
    private const double PerSecond = 150;
    private const int Burst = 900;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Three_replicas_give_the_entitlement_with_Redis_without_it_and_when_it_is_back()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(
            TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(Burst, (int)(Burst / PerSecond))]));
        await using var one = await StartAsync(catalog);
        await using var two = await StartAsync(catalog);
        await using var three = await StartAsync(catalog);
        GatewayHost[] gateways = [one, two, three];

        // A full bucket, and what flows in: at most 101 %, at least 98 %.
        var (allowed, seconds, _) = await RunAsync(gateways, TimeSpan.FromSeconds(4));
        var entitled = Burst + (PerSecond * seconds);
        Assert.InRange(allowed / entitled, 0.98, 1.01);

        // Frozen is gone. The bucket was empty: only what flows in. Nobody fails, and once the silence is noticed nobody waits.
        server.Freeze();
        await RunAsync(gateways, TimeSpan.FromMilliseconds(300));
        Assert.All(gateways, static gateway => Assert.False(gateway.Services.GetRequiredService<TokenLender>().IsUsable));
        (allowed, seconds, var waited) = await RunAsync(gateways, TimeSpan.FromSeconds(3));
        Assert.True(allowed <= 1.10 * PerSecond * seconds, $"{allowed} in {seconds} s without Redis");
        Assert.Equal(0, waited);

        // Back: no burst. (A bucket of six seconds that was empty when Redis went fills for as long as nobody paid.)
        server.Thaw();
        await Eventually.TrueAsync(async () =>
        {
            await RunAsync(gateways, TimeSpan.FromMilliseconds(100));
            return gateways.All(static gateway => gateway.Services.GetRequiredService<TokenLender>().IsUsable);
        });
        (allowed, seconds, _) = await RunAsync(gateways, TimeSpan.FromSeconds(2));
        Assert.True(allowed <= (1.10 * PerSecond * seconds) + (Burst * 0.1), $"{allowed} in {seconds} s after Redis came back");
    }

    private async Task<GatewayHost> StartAsync(TestCatalog catalog)
    {
        var gateway = await GatewayHost.StartAsync(catalog, settings: [("ConnectionStrings:redis", server.ConnectionString)]);
        await LimitTests.WarmAsync(gateway.Services.GetRequiredService<TokenLender>());
        gateway.Services.GetRequiredService<GatewayCount>().Live = 3;
        return gateway;
    }

    private static async Task<(int Allowed, double Seconds, long Waited)> RunAsync(GatewayHost[] gateways, TimeSpan time)
    {
        var allowed = 0;
        var awaited = RateLimiter.Awaited;
        var watch = Stopwatch.StartNew();
        await Parallel.ForEachAsync(Enumerable.Range(0, 10), new ParallelOptions { MaxDegreeOfParallelism = 10, CancellationToken = Stop }, async (client, stop) =>
        {
            using var http = gateways[client < 8 ? 0 : client - 7].Client();
            while (watch.Elapsed < time)
            {
                using var response = await http.GetAsync("/orders/v1/orders", stop);
                Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.TooManyRequests, $"{response.StatusCode}");
                if (response.StatusCode == HttpStatusCode.OK)
                {
                    Interlocked.Increment(ref allowed);
                }
                else
                {
                    await Task.Delay(3, stop); // two cores serve clients, gateways and backend
                }
            }
        });
        return (allowed, watch.Elapsed.TotalSeconds, RateLimiter.Awaited - awaited);
    }
}
