using System.Diagnostics;
using System.Globalization;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Warmup;

public sealed class WarmupTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_replica_is_warm_before_it_is_ready()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        using (var warm = new HttpClient())
        {
            for (var i = 0; i < 2000; i++)
            {
                _ = await warm.GetByteArrayAsync(backend.Address, Stop); // the test's own client and backend are not the subject
            }
        }

        // A machine that does something else meanwhile spoils a p99 of ten requests: the best of three replicas counts.
        var best = double.MaxValue;
        for (var attempt = 0; attempt < 3 && best > 2; attempt++)
        {
            var state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
            await using (var gateway = await Processes.StartGatewayAsync(catalog, state, ("OpenPlatform:Gateway:Warmup:Requests", "3000")))
            {
                using var client = gateway.Client();
                var first = await P99Async(client);
                var steady = new List<double>();
                for (var i = 0; i < 6; i++)
                {
                    steady.Add(await P99Async(client));
                }

                best = Math.Min(best, first / steady.Skip(1).Order().ElementAt(2));
                TestContext.Current.TestOutputHelper?.WriteLine($"first {first:0.00} ms, then {string.Join(", ", steady.Select(static p => p.ToString("0.00", CultureInfo.InvariantCulture)))} ms");
            }

            Directory.Delete(state, recursive: true);
        }

        Assert.InRange(best, 0, 2);
        Assert.All(catalog.Usage, static usage => Assert.Equal(TestSnapshot.SubscriptionId, usage.SubscriptionId)); // the warm-up is not billed
    }

    private static async Task<double> P99Async(HttpClient client)
    {
        var times = new double[1000];
        for (var i = 0; i < times.Length; i++)
        {
            var began = Stopwatch.GetTimestamp();
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            times[i] = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        }

        Array.Sort(times);
        return times[990];
    }
}
