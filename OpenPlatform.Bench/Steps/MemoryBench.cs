using System.Diagnostics;
using System.Globalization;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Bench.Steps;

/// <summary>What a credential (with its application and subscription) keeps in memory, and whether look-ups stay as fast when there are many.</summary>
internal static class MemoryBench
{
    /// <summary>Promised; see docs/guarantees.md.</summary>
    private const double MostBytes = 400, MostGrowth = 3; // a larger table misses the processor's caches more often

    public static int Run()
    {
        using var gateway = new GatewayInProcess();
        var authenticator = gateway.Services.GetRequiredService<ApiKeyAuthenticator>();
        Console.WriteLine("| Credentials | Operations | bytes a credential | key look-up, ns | route look-up, ns |\n|---|---|---|---|---|");
        (double Key, double Route) small = default, large = default;
        var bytes = 0.0;
        foreach (var (credentials, operations) in ((int, int)[])[(1_000, 100), (10_000, 1_000), (100_000, 10_000)])
        {
            var before = Settled();
            var without = gateway.Compile(0, operations);
            var between = Settled();
            var with = gateway.Compile(credentials, operations);
            bytes = (double)(Settled() - between - (between - before)) / credentials;
            GC.KeepAlive(without);
            large = Times(with, authenticator, credentials, operations);
            small = credentials == 1_000 ? large : small;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {credentials} | {operations} | {bytes:0} | {large.Key:0} | {large.Route:0} |"));
        }

        var flat = large.Key < MostGrowth * small.Key && large.Route < MostGrowth * small.Route;
        Console.WriteLine($"at most {MostBytes} bytes a credential: {bytes <= MostBytes}; look-ups at most {MostGrowth} times slower at a hundred times the size: {flat}");
        return bytes <= MostBytes && flat ? 0 : 1;
    }

    /// <summary>Least mean of several series over a thousand keys and paths: what caches of the processor do is part of it.</summary>
    private static (double Key, double Route) Times(GatewaySnapshot snapshot, ApiKeyAuthenticator authenticator, int credentials, int operations)
    {
        var requests = Enumerable.Range(0, 1000).Select(i => new DefaultHttpContext { Request = { Headers = { ["X-Api-Key"] = GatewayInProcess.Key(i * 37 % credentials) } } }.Request).ToArray();
        var apis = Math.Max(1, operations / 100);
        var paths = Enumerable.Range(0, 1000).Select(i => $"/api-{i * 37 % apis}/v1/resources-{i % 100}/42").ToArray();
        var request = new GatewayRequest(new DefaultHttpContext(), snapshot, "id");
        return (
            Least(i => authenticator.Authenticate(requests[i], request) == Refusal.None),
            Least(i => snapshot.Routes.Find(paths[i], "GET", out _) is not null));

        static double Least(Func<int, bool> look)
        {
            var least = double.MaxValue;
            for (var series = 0; series < 25; series++)
            {
                var started = Stopwatch.GetTimestamp();
                for (var i = 0; i < 1000; i++)
                {
                    if (!look(i))
                    {
                        throw new InvalidOperationException("A look-up found nothing.");
                    }
                }

                least = Math.Min(least, Stopwatch.GetElapsedTime(started).TotalNanoseconds / 1000);
            }

            return least;
        }
    }

    private static long Settled()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
