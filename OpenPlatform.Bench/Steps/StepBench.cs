using System.Diagnostics;
using System.Globalization;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Authorization;
using OpenPlatform.Gateway.Balancing;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Gateway.Observability;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Usage;

namespace OpenPlatform.Bench.Steps;

/// <summary>Each step by itself, on a snapshot of 10,000 operations and 10,000 credentials; the budgets are bytes.</summary>
internal static class StepBench
{
    private const int Runs = 20_000;

    public static int Run()
    {
        using var gateway = new GatewayInProcess();
        var snapshot = gateway.Compile(credentials: 10_000, operations: 10_000);
        var services = gateway.Services;
        var authenticator = services.GetRequiredService<ApiKeyAuthenticator>();
        var limiters = services.GetRequiredService<LimiterTable>();
        var spool = services.GetRequiredService<UsageSpool>();
        var http = new DefaultHttpContext { Request = { Headers = { ["X-Api-Key"] = GatewayInProcess.Key(42) } } }.Request;
        var request = new GatewayRequest(new DefaultHttpContext(), snapshot, "id");
        var durations = new DurationTable(1, static (_, _) => []);
        var budgets = Budgets();

        // Each fills in what the next one needs; a step that refuses would be measured wrongly.
        (string Name, Func<bool> Do)[] steps =
        [
            ("route", () => (request.Operation = request.Snapshot.Routes.Find("/api-42/v1/resources-7/42", "GET", out _)!) is not null),
            ("authenticate", () => authenticator.Authenticate(http, request) == Refusal.None),
            ("authorize", () => AuthorizationMiddleware.Authorize(request) == Refusal.None),
            ("limit", () => RateLimitMiddleware.TryTake((request.Limits = limiters.For(request.Subscription, request.Operation)).All, request, 0, out _) == LimitDecision.Allowed),
            ("balance", () => request.Operation.Api.Backend.Pick(new PickContext(0, true), []) is not null),
            ("metrics", () =>
            {
                durations.Add(0, 200, TimeSpan.FromMilliseconds(2));
                return true;
            }),
            ("usage", () =>
            {
                spool.Count(request.Subscription, request.Operation, 200);
                return true;
            }),
        ];

        Console.WriteLine("| Step | ns | bytes | budget |\n|---|---|---|---|");
        var over = 0;
        foreach (var (name, step) in steps)
        {
            var (nanoseconds, bytes) = Measure(name, step);
            var budget = budgets[name];
            over += bytes > budget ? 1 : 0;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {nanoseconds:0} | {bytes:0.##} | {budget}{(bytes > budget ? " EXCEEDED" : "")} |"));
        }

        return over == 0 ? 0 : 1;
    }

    /// <summary>The least of nine series: the rest is the machine's and the JIT's.</summary>
    private static (double Nanoseconds, double Bytes) Measure(string name, Func<bool> step)
    {
        var (time, bytes) = (double.MaxValue, double.MaxValue);
        for (var series = 0; series < 9; series++)
        {
            var allocated = GC.GetAllocatedBytesForCurrentThread();
            var started = Stopwatch.GetTimestamp();
            for (var i = 0; i < Runs; i++)
            {
                if (!step())
                {
                    throw new InvalidOperationException($"The step '{name}' refused.");
                }
            }

            time = Math.Min(time, Stopwatch.GetElapsedTime(started).TotalNanoseconds / Runs);
            bytes = Math.Min(bytes, (double)(GC.GetAllocatedBytesForCurrentThread() - allocated) / Runs);
        }

        return (time, bytes);
    }

    private static Dictionary<string, long> Budgets() => File.ReadLines(Path.Combine(AppContext.BaseDirectory, "budgets.txt"))
        .Where(static line => line.Length > 0 && line[0] != '#')
        .Select(static line => line.Split(' '))
        .ToDictionary(static parts => parts[0], static parts => long.Parse(parts[1], CultureInfo.InvariantCulture));
}
