using System.Collections.Concurrent;
using System.Diagnostics;
using OpenPlatform.Tests.Catalog;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Resilience;

/// <summary>
/// Each of Redis, Postgres, the catalog and one backend instance is killed, frozen and slowed down in turn while a client calls at a steady rate.
/// Everything is a process of its own, the gateway with its default settings. With <c>OPENPLATFORM_RECORD=true</c> the results go to docs/failures.md.
/// </summary>
public sealed class FaultMatrixTests(RedisServerFixture redis, ITestOutputHelper output) : IClassFixture<RedisServerFixture>
{
    private const string DemoKey = "demo-key-of-the-fault-matrix-0123456789";
    private const int PerSecond = 100;
    private static readonly TimeSpan FaultTime = TimeSpan.FromSeconds(4); // longer than it takes to find an instance frozen
    private static readonly TimeSpan After = TimeSpan.FromSeconds(1);

    private sealed record Row(string What, string Fault, int Requests, int Failed, double P50, double P99, double Max);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_authorized_idempotent_request_fails_while_a_dependency_is_killed_frozen_or_slow()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsMacOS(), "Processes cannot be frozen here.");
        var catalogPort = FreePort.Next();
        await using var postgres = await PostgresServer.StartNewAsync();
        var database = await postgres.CreateDatabaseAsync();
        var state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
        var processes = new List<ServiceProcess>();
        try
        {
            var catalog = await OwnAsync(StartCatalogAsync(catalogPort, database));
            await OwnAsync(Processes.StartOrdersAsync(redis.ConnectionString, "orders"));
            var suffers = await OwnAsync(Processes.StartOrdersAsync(redis.ConnectionString, "orders"));
            var gateway = await OwnAsync(ServiceProcess.StartAsync("OpenPlatform.Gateway.dll", Processes.Environment(
            [
                // Where everything is, and secrets: nothing that changes how it behaves.
                .. GatewayHost.Settings(catalog.Address, state).Where(static s => s.Key is "urls" or "OpenPlatform:StateDirectory" or "services:catalog:http:0"),
                ("OpenPlatform:KeyPepper", CatalogServer.Pepper), ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken),
                ("ConnectionStrings:redis", redis.ConnectionString), ("OpenPlatform:Leases:Keys:orders", Processes.OrdersLeaseKey),
            ])));
            using var client = new HttpClient { BaseAddress = gateway.Address, DefaultRequestHeaders = { { "X-Api-Key", DemoKey } }, Timeout = TimeSpan.FromSeconds(20) };
            await BothAnswerAsync(client);
            var rows = new List<Row> { await CellAsync(client, "–", "none", static () => Task.Delay(FaultTime)) };

            rows.Add(await CellAsync(client, "Redis", "killed", async () =>
            {
                await redis.KillAsync();
                await Task.Delay(FaultTime);
                await redis.StartAsync();
            }));
            rows.Add(await CellAsync(client, "Redis", "frozen", () => FrozenAsync(redis.Freeze, redis.Thaw)));
            rows.Add(await CellAsync(client, "Redis", "slow", () => SlowAsync(redis.Freeze, redis.Thaw)));

            rows.Add(await CellAsync(client, "Postgres", "killed", async () =>
            {
                await postgres.CrashAsync();
                await Task.Delay(FaultTime);
                await postgres.StartAsync();
            }));
            rows.Add(await CellAsync(client, "Postgres", "frozen", () => FrozenAsync(postgres.Freeze, postgres.Thaw)));
            rows.Add(await CellAsync(client, "Postgres", "slow", () => SlowAsync(postgres.Freeze, postgres.Thaw)));

            rows.Add(await CellAsync(client, "catalog", "killed", async () =>
            {
                catalog.Kill();
                await Task.Delay(FaultTime);
                catalog = await OwnAsync(StartCatalogAsync(catalogPort, database));
            }));
            rows.Add(await CellAsync(client, "catalog", "frozen", () => FrozenAsync(catalog.Freeze, catalog.Thaw)));
            rows.Add(await CellAsync(client, "catalog", "slow", () => SlowAsync(catalog.Freeze, catalog.Thaw)));

            rows.Add(await CellAsync(client, "one of two backend instances", "killed", async () =>
            {
                suffers.Kill();
                await Task.Delay(FaultTime);
                suffers = await OwnAsync(Processes.StartOrdersAsync(redis.ConnectionString, "orders"));
            }));
            await BothAnswerAsync(client);
            rows.Add(await CellAsync(client, "one of two backend instances", "frozen", () => FrozenAsync(suffers.Freeze, suffers.Thaw)));
            await BothAnswerAsync(client);
            rows.Add(await CellAsync(client, "one of two backend instances", "slow", () => SlowAsync(suffers.Freeze, suffers.Thaw)));

            var table = rows.Select(static r => FormattableString.Invariant($"| {r.What} | {r.Fault} | {r.Requests} | {r.Failed} | {r.P50:0} | {r.P99:0} | {r.Max:0} |")).ToArray();
            output.WriteLine(string.Join('\n', table));
            Assert.All(rows, static row => Assert.True(row is { Failed: 0, Requests: > 100 }, $"{row}"));
            Record(table);
        }
        finally
        {
            foreach (var process in processes)
            {
                await process.DisposeAsync();
            }

            Directory.Delete(state, recursive: true);
        }

        async Task<ServiceProcess> OwnAsync(Task<ServiceProcess> starting)
        {
            var process = await starting;
            processes.Add(process);
            return process;
        }
    }

    /// <summary>Calls at the steady rate while <paramref name="fault"/> runs, and a little longer.</summary>
    private async Task<Row> CellAsync(HttpClient client, string what, string fault, Func<Task> injected)
    {
        var latencies = new ConcurrentBag<double>();
        var failures = new ConcurrentQueue<string>();
        var calls = new List<Task>();
        var injection = Task.Run(async () =>
        {
            await injected();
            await Task.Delay(After);
        });
        var clock = Stopwatch.StartNew();
        for (var i = 0; !injection.IsCompleted; i++)
        {
            var due = TimeSpan.FromSeconds((double)i / PerSecond);
            if (due > clock.Elapsed)
            {
                await Task.Delay(due - clock.Elapsed, Stop);
            }

            calls.Add(Task.Run(() => CallAsync(due), Stop));
        }

        await Task.WhenAll(calls);
        await injection;
        foreach (var failure in failures.Take(5))
        {
            output.WriteLine($"{what} {fault}: {failure}");
        }

        var sorted = latencies.Order().ToArray();
        return new(what, fault, calls.Count, failures.Count, At(0.50), At(0.99), sorted.LastOrDefault());

        double At(double share) => sorted.ElementAtOrDefault((int)(share * sorted.Length));

        // From the moment at which it was due: a client that waits for its turn waits too.
        async Task CallAsync(TimeSpan due)
        {
            try
            {
                using var response = await client.GetAsync("/orders/v1/orders", CancellationToken.None);
                if (!response.IsSuccessStatusCode)
                {
                    failures.Enqueue($"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync(CancellationToken.None)}");
                }
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                failures.Enqueue(e.Message);
            }

            latencies.Add((clock.Elapsed - due).TotalMilliseconds);
        }
    }

    private static async Task FrozenAsync(Action freeze, Action thaw)
    {
        freeze();
        try
        {
            await Task.Delay(FaultTime);
        }
        finally
        {
            thaw();
        }
    }

    /// <summary>It gets a tenth of the time.</summary>
    private static async Task SlowAsync(Action freeze, Action thaw)
    {
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < FaultTime)
        {
            freeze();
            await Task.Delay(90);
            thaw();
            await Task.Delay(10);
        }
    }

    private static async Task BothAnswerAsync(HttpClient client)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        await Eventually.TrueAsync(async () =>
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            if (response.Headers.TryGetValues("X-Instance", out var instance))
            {
                seen.Add(instance.First());
            }

            return seen.Count >= 2;
        }, TimeSpan.FromSeconds(60));
    }

    private static async Task<ServiceProcess> StartCatalogAsync(int port, string database)
    {
        var process = await ServiceProcess.StartAsync("OpenPlatform.Catalog.dll", Processes.Environment(
        [
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"), ("ASPNETCORE_ENVIRONMENT", "Development"), ("ConnectionStrings:catalogdb", database),
            ("ConnectionStrings:redis", "127.0.0.1:1,password=none"), ("OpenPlatform:AdminToken", CatalogServer.AdminToken),
            ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:KeyPepper", CatalogServer.Pepper), ("OpenPlatform:DemoKey", DemoKey),
        ]));
        using var client = new HttpClient { BaseAddress = process.Address };
        try
        {
            await Eventually.TrueAsync(async () => (await client.GetAsync("/health", Stop)).IsSuccessStatusCode, TimeSpan.FromSeconds(60));
            return process;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    private static void Record(string[] table)
    {
        if (Environment.GetEnvironmentVariable("OPENPLATFORM_RECORD") != "true")
        {
            return;
        }

        var path = Path.Combine(Repository.Root, "docs", "failures.md");
        var lines = File.ReadAllLines(path).ToList();
        var first = lines.IndexOf("|---|---|---|---|---|---|---|") + 1;
        lines.RemoveRange(first, lines.Skip(first).TakeWhile(static line => line.StartsWith('|')).Count());
        lines.InsertRange(first, table);
        File.WriteAllLines(path, lines);
    }
}
