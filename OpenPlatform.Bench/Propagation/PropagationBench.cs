using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using Npgsql;
using OpenPlatform.Bench.Compare;

namespace OpenPlatform.Bench.Propagation;

/// <summary>From a write at the catalog to its effect on requests at three gateways, with 10,000 operations and 100,000 credentials.</summary>
internal static class PropagationBench
{
    /// <summary>Promised; see docs/guarantees.md.</summary>
    private const double MostEffective = 250, MostRevoked = 1000, MostChangeset = 2000, MostSlower = 1.10;

    private static int s_missed;

    public static async Task<int> RunAsync(string[] args)
    {
        var quick = args.Contains("--quick");
        var (operations, credentials, changes, revocations, underLoad) = quick ? (1_000, 2_000, 40, 10, 60) : (10_000, 100_000, 200, 50, 1_000);
        await using var platform = new Platform();
        var started = Stopwatch.GetTimestamp();
        await platform.StartAsync(operations, credentials);
        Console.WriteLine($"{operations} operations, {credentials} credentials, 3 gateways, {Environment.ProcessorCount} processors at a load of {File.ReadAllText("/proc/loadavg").Split(' ')[0]}, ready after {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s");
        Console.WriteLine("| What | n | p50 ms | p99 ms | most ms | promised |\n|---|---|---|---|---|---|");

        await ChangesetAsync(platform);
        for (var i = 0; i < 10; i++)
        {
            await SuspendAndResumeAsync(platform); // code is compiled on the way
        }

        var write = new List<double>();
        List<double> effective = [], published = [], floor = [];
        await using var bare = await BareCommits.OpenAsync(platform.Database);
        var cpu = platform.CpuSeconds();
        for (var i = 0; i < changes / 4; i++)
        {
            effective.AddRange(await SuspendAndResumeAsync(platform, write));
            published.Add(await PublishAsync(platform, (2 * i) + 1));
            published.Add(await PublishAsync(platform, (2 * i) + 2));
            for (var n = 0; n < 2; n++)
            {
                floor.Add(await bare.MillisecondsAsync());
            }
        }

        var spent = Cost(platform, cpu, changes);

        Row("the floor: one row committed through bare Npgsql, in turn with the changes", floor, double.NaN, 0.99);
        Row("the write itself (an application suspended, resumed)", write, double.NaN, 0.99);
        Row("suspended or resumed → at all three", effective, MostEffective, 0.99);
        Row("a revision of some 150 operations published → at all three", published, MostEffective, 0.99);
        Row("a key revoked → refused by all three", await RevokeAsync(platform, revocations), MostRevoked, 1);
        await UnderLoadAsync(platform, underLoad);
        Console.WriteLine($"a change of either kind, with the requests that look for it: {spent}");
        await GrowthAsync(platform);
        return s_missed == 0 ? 0 : 1;
    }

    /// <summary>1,000 declared backends, and an API of 1,000 operations: validated, stored, published.</summary>
    private static async Task ChangesetAsync(Platform platform)
    {
        var started = Stopwatch.GetTimestamp();
        await platform.PostAsync("apis", new { name = "large", version = "v1", basePath = "/large/v1", backendId = platform.BackendId, operations = Platform.Operations(1_000) });
        Row("an API of 1,000 operations: compiled and committed", [Stopwatch.GetElapsedTime(started).TotalMilliseconds], MostChangeset, 1);

        started = Stopwatch.GetTimestamp();
        await platform.PostAsync("changesets", new
        {
            puts = new { backends = Enumerable.Range(0, 1_000).Select(static i => new { name = $"b-{i}", addresses = new[] { $"http://10.0.{i / 250}.{i % 250}:8080" } }) },
        });
        Row("a changeset of 1,000 puts: checked and committed", [Stopwatch.GetElapsedTime(started).TotalMilliseconds], MostChangeset, 1);

        await PutAsync("plans", Enumerable.Range(0, 1_000).Select(static i => new { name = $"p-{i}", rateLimits = new[] { new { requests = 10 + i, windowSeconds = 60 } } }));
        await PutAsync("applications", Enumerable.Range(0, 1_000).Select(static i => new
        {
            name = $"a-{i}", organization = "Partner", credentials = new[] { new { name = "ci", key = $"key-of-the-bench-{i:00000000}" } }, subscriptions = new[] { new { api = "large/v1", plan = $"p-{i}" } },
        }));
        await PutAsync("apis", Enumerable.Range(0, 100).Select(static a => new { name = $"put-{a}", version = "v1", basePath = $"/put-{a}/v1", backend = "backend", operations = Platform.Operations(10) }));

        async Task PutAsync(string list, IEnumerable<object> items)
        {
            object[] all = [.. items];
            started = Stopwatch.GetTimestamp();
            await platform.PostAsync("changesets", new { puts = new Dictionary<string, object> { [list] = all } });
            Row($"a changeset of {all.Length} {list}", [Stopwatch.GetElapsedTime(started).TotalMilliseconds], double.NaN, 1);
        }
    }

    private static async Task<double[]> SuspendAndResumeAsync(Platform platform, List<double>? write = null) =>
    [
        await EffectiveAsync(platform, "suspend", HttpStatusCode.Forbidden, write), await EffectiveAsync(platform, "resume", HttpStatusCode.OK, write),
    ];

    private static async Task<double> EffectiveAsync(Platform platform, string verb, HttpStatusCode expected, List<double>? write = null)
    {
        var started = Stopwatch.GetTimestamp();
        var seen = SeenAsync(platform, platform.Caller.Key, Platform.PathOf(0, 0), expected, started);
        await platform.PostAsync($"applications/{platform.Caller.Id}:{verb}", null, change: true);
        write?.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        return await seen;
    }

    private static async Task<double> PublishAsync(Platform platform, int markers)
    {
        var started = Stopwatch.GetTimestamp();
        var seen = SeenAsync(platform, platform.Caller.Key, $"/api-0/v1/marker-{markers - 1}", HttpStatusCode.OK, started);
        await platform.PostAsync($"apis/{platform.Changing.Api}/versions/{platform.Changing.Version}/revisions",
            new { backendId = platform.BackendId, operations = Platform.Operations(100, markers) }, change: true);
        return await seen;
    }

    private static async Task<List<double>> RevokeAsync(Platform platform, int count)
    {
        var times = new List<double>();
        for (var i = 0; i < count; i++)
        {
            var credential = await platform.PostAsync("credentials", new { applicationId = platform.Caller.Id, name = $"revoked {i}" });
            var key = credential["key"]!.GetValue<string>();
            await SeenAsync(platform, key, Platform.PathOf(0, 0), HttpStatusCode.OK, 0);
            var started = Stopwatch.GetTimestamp();
            var seen = SeenAsync(platform, key, Platform.PathOf(0, 0), HttpStatusCode.Unauthorized, started);
            await platform.PostAsync($"credentials/{Platform.Id(credential)}:revoke", null, change: true);
            times.Add(await seen);
        }

        return times;
    }

    /// <summary>Milliseconds from <paramref name="started"/> until every gateway answers as expected.</summary>
    private static async Task<double> SeenAsync(Platform platform, string key, string path, HttpStatusCode expected, long started)
    {
        var seen = await Task.WhenAll(platform.Gateways.Select(async gateway =>
        {
            using var client = Platform.Client(gateway, key);
            for (var i = 0; i < 5_000; i++)
            {
                if (await Platform.StatusAsync(client, path) == expected)
                {
                    return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
                }

                await Task.Delay(2);
            }

            throw new InvalidOperationException($"{path} does not answer {expected}.");
        }));
        return seen.Max();
    }

    /// <summary>The same steady requests with and without changes, in turn, so that what else the machine does is in both.</summary>
    private static async Task UnderLoadAsync(Platform platform, int changes)
    {
        const int AtOnce = 50, PerSecond = 200;
        List<double> calm = [], changing = [];
        var failed = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        using var client = Platform.Client(platform.Gateways[0], platform.Caller.Key);
        double postgres = 0, catalog = 0, gateways = 0;
        for (var done = 0; done < changes; done += AtOnce)
        {
            await LoadAsync(calm, Task.Delay(2_500));
            var before = platform.CpuSeconds();
            await LoadAsync(changing, ChangeAsync(AtOnce));
            var after = platform.CpuSeconds();
            (postgres, catalog, gateways) = (postgres + after.Postgres - before.Postgres, catalog + after.Catalog - before.Catalog, gateways + after.Gateways - before.Gateways);
        }

        var (p99Calm, p99Changing) = (Quantile(calm, 0.99), Quantile(changing, 0.99));
        Row("a request at 200 a second, nothing changes", calm, double.NaN, 0.99);
        Row($"a request at 200 a second, meanwhile {changes} changes", changing, p99Calm * MostSlower, 0.99);
        Console.WriteLine($"a change, with the requests meanwhile: {Milliseconds(postgres, catalog, gateways, changes)}");
        Check($"failed requests: {failed.Values.Sum()} of {calm.Count + changing.Count}{string.Concat(failed.Select(static f => $", {f.Value} {f.Key}"))}", failed.IsEmpty);

        async Task ChangeAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                await Task.WhenAll(platform.PostAsync("plans", new { name = $"plan-{Guid.NewGuid():N}", approvalRequired = false, rateLimits = new[] { new { requests = 1, windowSeconds = 1 } } }), Task.Delay(50));
            }
        }

        async Task LoadAsync(List<double> times, Task until)
        {
            var requests = new List<Task>();
            using var pace = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / PerSecond)); // behind on a busy machine it skips, and makes no burst
            while (!until.IsCompleted && await pace.WaitForNextTickAsync())
            {
                requests.Add(OneAsync(times));
            }

            await until;
            await Task.WhenAll(requests);
        }

        async Task OneAsync(List<double> times)
        {
            var started = Stopwatch.GetTimestamp();
            try
            {
                using var response = await client.GetAsync(Platform.PathOf(0, Random.Shared.Next(100)));
                if (response.StatusCode != HttpStatusCode.OK)
                {
                    failed.AddOrUpdate($"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}"[..60], 1, static (_, n) => n + 1);
                }
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                failed.AddOrUpdate(e.GetType().Name, 1, static (_, n) => n + 1);
            }

            lock (times)
            {
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }
        }
    }

    private static async Task GrowthAsync(Platform platform)
    {
        await using var command = platform.Database.CreateCommand(
            "select (select count(*) from config_entries), (select count(*) from config_shards), (select count(*) from config_dirty) + (select count(*) from config_dirty_parts), (select count(*) from config_entries where to_revision is null)");
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        var (entries, shards, dirty, current) = (reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3));
        Console.WriteLine($"rows: {entries} entries, {shards} contents, {dirty} noted, {current} in force; resident memory of the gateways: {string.Join(", ", platform.Gateways.Select(Megabytes))} MiB");
        Check("entries of at most a hundred revisions are kept, contents at most as many, nothing is left noted", entries <= current + 300 && shards <= entries && dirty == 0);
    }

    private static string Cost(Platform platform, (double Postgres, double Catalog, double Gateways) since, int changes)
    {
        var now = platform.CpuSeconds();
        return Milliseconds(now.Postgres - since.Postgres, now.Catalog - since.Catalog, now.Gateways - since.Gateways, changes);
    }

    private static string Milliseconds(double postgres, double catalog, double gateways, int changes) => string.Create(CultureInfo.InvariantCulture,
        $"processor time of Postgres {1000 * postgres / changes:0.0} ms, of the catalog {1000 * catalog / changes:0.0} ms, of a gateway {1000 * gateways / changes / 3:0.0} ms");

    private static string Megabytes(ServerProcess process) =>
        (long.Parse(File.ReadAllText($"/proc/{process.Id}/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize >> 20).ToString(CultureInfo.InvariantCulture);

    private static void Row(string what, List<double> times, double promised, double quantile)
    {
        var missed = Quantile(times, quantile) > promised;
        s_missed += missed ? 1 : 0;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {what} | {times.Count} | {Quantile(times, 0.5):0} | {Quantile(times, 0.99):0} | {Quantile(times, 1):0} | {(double.IsNaN(promised) ? "" : $"{promised:0}{(missed ? " MISSED" : "")}")} |"));
    }

    private static void Check(string what, bool holds)
    {
        s_missed += holds ? 0 : 1;
        Console.WriteLine($"{what}{(holds ? "" : " MISSED")}");
    }

    private static double Quantile(List<double> times, double quantile)
    {
        var ordered = times.Order().ToArray();
        return ordered[Math.Min(ordered.Length - 1, (int)Math.Ceiling(quantile * ordered.Length) - 1)];
    }
}

/// <summary>What the disk and the machine take from any write at this hour: one row, one commit.</summary>
internal sealed class BareCommits : IAsyncDisposable
{
    private readonly NpgsqlConnection _connection;

    private BareCommits(NpgsqlConnection connection) => _connection = connection;

    public static async Task<BareCommits> OpenAsync(NpgsqlDataSource database)
    {
        var connection = await database.OpenConnectionAsync();
        await using var create = new NpgsqlCommand("create table if not exists bench_floor (at timestamptz not null)", connection);
        await create.ExecuteNonQueryAsync();
        return new(connection);
    }

    public async Task<double> MillisecondsAsync()
    {
        var started = Stopwatch.GetTimestamp();
        await using var insert = new NpgsqlCommand("insert into bench_floor values (now())", _connection);
        await insert.ExecuteNonQueryAsync();
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}
