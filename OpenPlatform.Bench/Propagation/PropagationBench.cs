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
    private const double MostEffective = 250, MostRevoked = 1000, MostChangeset = 2000, MostSlower = 1.10, MostGrowth = 1.25;

    /// <summary>Changes of a window.</summary>
    private const int AtOnce = 10;

    private static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(50);
    private static int s_missed;

    public static async Task<int> RunAsync(string[] args)
    {
        var quick = args.Contains("--quick");
        var (operations, credentials, changes, revocations, underLoad) = quick ? (1_000, 2_000, 40, 10, 60) : (10_000, 100_000, 200, 50, args.Contains("--apart") ? 1_500 : 1_000);
        await using var platform = new Platform();
        var started = Stopwatch.GetTimestamp();
        var onlyChangesets = args.Contains("--changesets");
        await platform.StartAsync(operations, credentials, onlyChangesets ? 0 : 3);
        Console.WriteLine($"{operations} operations, {credentials} credentials, {platform.Gateways.Count} gateways, {Environment.ProcessorCount} processors at a load of {File.ReadAllText("/proc/loadavg").Split(' ')[0]}, ready after {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s");
        Console.WriteLine("| What | n | p50 ms | p99 ms | most ms | promised |\n|---|---|---|---|---|---|");

        if (args.Contains("--load") || args.Contains("--apart"))
        {
            await UnderLoadAsync(platform, underLoad, together: !args.Contains("--apart"));
            return s_missed == 0 ? 0 : 1;
        }

        if (onlyChangesets)
        {
            await ChangesetAsync(platform);
            return s_missed == 0 ? 0 : 1;
        }

        var markers = 0;
        Console.WriteLine(await WarmUpAsync("the catalog and the gateways", platform.Services, async () =>
        {
            await PublishAsync(platform, ++markers);
            for (var i = 0; i < 3; i++)
            {
                await SuspendAndResumeAsync(platform);
            }
        }));

        List<double> floor = [];
        List<SeenChange> effective = [], published = [];
        await using var bare = await BareCommits.OpenAsync(platform.Database);
        var cpu = platform.CpuSeconds();
        for (var i = 0; i < changes / 4; i++)
        {
            effective.AddRange(await SuspendAndResumeAsync(platform));
            published.Add(await PublishAsync(platform, ++markers));
            published.Add(await PublishAsync(platform, ++markers));
            for (var n = 0; n < 2; n++)
            {
                floor.Add(await bare.MillisecondsAsync());
            }
        }

        var spent = Cost(platform, cpu, changes);

        Row("the floor: one row committed through bare Npgsql, in turn with the changes", floor, double.NaN, 0.99);
        foreach (var (what, seen) in new[] { ("suspended or resumed", effective), ($"a revision of up to {100 + markers} operations published", published) })
        {
            Row($"{what}: the write itself", [.. seen.Select(static change => change.Written)], double.NaN, 0.99);
            Row($"{what} → at all three", [.. seen.Select(static change => change.Effective)], MostEffective, 0.99);
        }

        Row("a key revoked → refused by all three", await RevokeAsync(platform, revocations), MostRevoked, 1);
        Row("a version blocked or unblocked → at all three", await BlockAsync(platform, revocations), MostRevoked, 1);
        Console.WriteLine($"the slowest: {string.Join("; ", effective.Concat(published).OrderByDescending(static change => change.Effective).Take(5))}");
        Console.WriteLine($"a change of either kind, with the requests that look for it: {spent}");
        if (args.Contains("--effect"))
        {
            return s_missed == 0 ? 0 : 1;
        }

        var memory = platform.Gateways.Select(Megabytes).ToArray();
        await UnderLoadAsync(platform, underLoad);
        await GrowthAsync(platform, memory);
        await ChangesetAsync(platform); // what it adds would make it another size for all the others
        Row("catalog and Postgres gone, a gateway killed and started again → it answers from its disk", [await platform.RestartFromDiskAsync()], double.NaN, 1);
        return s_missed == 0 ? 0 : 1;
    }

    /// <summary>An API of 1,000 operations, and 1,000 of each kind of thing declared in one changeset: validated, stored, published.</summary>
    private static async Task ChangesetAsync(Platform platform)
    {
        var started = Stopwatch.GetTimestamp();
        await platform.PostAsync("apis", new { name = "large", version = "v1", basePath = "/large/v1", backendId = platform.BackendId, operations = Platform.Operations(1_000) });
        Row("an API of 1,000 operations: compiled and committed", [Stopwatch.GetElapsedTime(started).TotalMilliseconds], MostChangeset, 1);

        await PutAsync("backends", Enumerable.Range(0, 1_000).Select(static i => new { name = $"b-{i}", addresses = new[] { $"http://10.0.{i / 250}.{i % 250}:8080" } }));
        await PutAsync("plans", Enumerable.Range(0, 1_000).Select(static i => new { name = $"p-{i}", rateLimits = new[] { new { requests = 10 + i, windowSeconds = 60 } } }));
        await PutAsync("applications", Enumerable.Range(0, 1_000).Select(static i => new
        {
            name = $"a-{i}", organization = "Partner", credentials = new[] { new { name = "ci", key = $"key-of-the-bench-{i:00000000}" } }, subscriptions = new[] { new { api = "large/v1", plan = $"p-{i}" } },
        }));
        await PutAsync("apis", Enumerable.Range(0, 1_000).Select(static a => new { name = $"put-{a}", version = "v1", basePath = $"/put-{a}/v1", backend = "backend", operations = Platform.Operations(1) }));

        async Task PutAsync(string list, IEnumerable<object> items)
        {
            object[] all = [.. items];
            started = Stopwatch.GetTimestamp();
            await platform.PostAsync("changesets", new { puts = new Dictionary<string, object> { [list] = all } });
            Row($"a changeset of {all.Length:N0} {list}: checked and committed", [Stopwatch.GetElapsedTime(started).TotalMilliseconds], MostChangeset, 1);
        }
    }

    private static async Task<SeenChange[]> SuspendAndResumeAsync(Platform platform) =>
        [await SuspendOrResumeAsync(platform, "suspend", HttpStatusCode.Forbidden), await SuspendOrResumeAsync(platform, "resume", HttpStatusCode.OK)];

    private static Task<SeenChange> SuspendOrResumeAsync(Platform platform, string verb, HttpStatusCode expected) =>
        SeeChangeAsync(platform, $"applications/{platform.Caller.Id}:{verb}", null, Platform.PathOf(0, 0), expected);

    private static Task<SeenChange> PublishAsync(Platform platform, int markers) => SeeChangeAsync(
        platform, $"apis/{platform.Changing.Api}/versions/{platform.Changing.Version}/revisions",
        new { backendId = platform.BackendId, operations = Platform.Operations(100, markers) }, $"/api-0/v1/marker-{markers - 1}", HttpStatusCode.OK);

    private static async Task<SeenChange> SeeChangeAsync(Platform platform, string change, object? body, string path, HttpStatusCode expected)
    {
        var started = Stopwatch.GetTimestamp();
        var seen = SeenAsync(platform, platform.Caller.Key, path, expected, started);
        await platform.PostAsync(change, body, change: true);
        var written = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        return new(written, await seen);
    }

    private static async Task<List<double>> RevokeAsync(Platform platform, int count)
    {
        var times = new List<double>();
        for (var i = 0; i < count; i++)
        {
            var credential = await platform.PostAsync("credentials", new { applicationId = platform.Caller.Id, name = $"revoked {i}" });
            var key = credential["key"]!.GetValue<string>();
            _ = await SeenAsync(platform, key, Platform.PathOf(0, 0), HttpStatusCode.OK, 0);
            var started = Stopwatch.GetTimestamp();
            var seen = SeenAsync(platform, key, Platform.PathOf(0, 0), HttpStatusCode.Unauthorized, started);
            await platform.PostAsync($"credentials/{Platform.Id(credential)}:revoke", null, change: true);
            times.Add((await seen).Max());
        }

        return times;
    }

    private static async Task<List<double>> BlockAsync(Platform platform, int count)
    {
        var times = new List<double>();
        for (var i = 0; i < count; i++)
        {
            var isBlock = i % 2 == 0;
            var blocked = await SeeChangeAsync(platform, $"apis/{platform.Changing.Api}/versions/{platform.Changing.Version}:{(isBlock ? "block" : "unblock")}",
                isBlock ? new { reason = "the bench" } : null, Platform.PathOf(0, 0), isBlock ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK);
            times.Add(blocked.Effective);
        }

        return times;
    }

    /// <summary>Milliseconds from <paramref name="started"/> until each gateway answers as expected.</summary>
    private static async Task<double[]> SeenAsync(Platform platform, string key, string path, HttpStatusCode expected, long started)
    {
        return await Task.WhenAll(platform.Gateways.Select(async gateway =>
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
    }

    /// <summary>The same steady requests with and without changes, in turn, so that what else the machine does is in both.</summary>
    /// <param name="together">Also with everything on all processors.</param>
    private static async Task UnderLoadAsync(Platform platform, int changes, bool together = true)
    {
        const int PerSecond = 400;
        using var load = SteadyLoadProcess.Start(platform.Gateways[0].Port, platform.Caller.Key, PerSecond, Enumerable.Range(0, 100).Select(static o => Platform.PathOf(0, o)));
        await load.BeginAsync("first");
        Console.WriteLine(await WarmUpAsync("gateway 1", [platform.Gateways[0].Id], () => ChangeAsync(platform, 25), TimeSpan.FromSeconds(130)));

        var cost = together ? await InTurnAsync(platform, load, "together", changes) : null;
        var lacking = platform.SetApart(true, load.Id);
        await load.BeginAsync("moved");
        await ChangeAsync(platform, AtOnce);
        var apart = await InTurnAsync(platform, load, "apart", changes);
        platform.SetApart(false, load.Id);
        var (parts, failures) = await load.EndAsync();

        if (together)
        {
            Compare("all of the platform on all processors", "together", double.NaN);
        }

        Compare($"gateway 1 as on a machine of its own{lacking}", "apart", MostSlower);
        Console.WriteLine($"a change, with the requests meanwhile: {(together ? $"{cost}; with gateway 1 by itself " : "")}{apart}");
        Check($"failed requests: {failures.Count} of {parts.Values.Sum(static part => part.Count)}{string.Concat(failures.Distinct().Take(5).Select(static failure => $", {failure}"))}", failures.Count == 0);

        void Compare(string where, string name, double promised)
        {
            var calm = Windows(parts, name + "-calm");
            var changing = Windows(parts, name + "-changing");
            double[] all = [.. calm.SelectMany(static window => window)], meanwhile = [.. changing.SelectMany(static window => window)];
            Row($"a request to gateway 1 at {PerSecond} a second, nothing changes; {where}", [.. all], double.NaN, 0.99);
            Row($"the same, meanwhile {changes} changes", [.. meanwhile], double.IsNaN(promised) ? promised : Quantile([.. all], 0.99) * promised, 0.99);
            foreach (var quantile in (double[])[0.95, 0.98, 0.99, 0.995])
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"p{100 * quantile:0.#} of the second ÷ the first: {Ratio(calm, changing, quantile)}"));
            }
        }
    }

    /// <summary>
    /// A service that has just been started compiles its code again for as long as it finds some that is used often: a thread of the runtime, as heavy as those that
    /// serve, whose turns of a millisecond are most of what is slow then, with changes and without. Work until it rests in all of the processes.
    /// </summary>
    /// <param name="least">What is called once in two seconds is compiled a last time when it was called sixty times.</param>
    private static async Task<string> WarmUpAsync(string who, int[] processes, Func<Task> work, TimeSpan least = default)
    {
        const double Rest = 0.0025; // of the time, of each process
        const int MostRounds = 200, QuietRounds = 8;
        var started = Stopwatch.GetTimestamp();
        var (share, quiet) = (1.0, 0);
        for (var round = 0; round < MostRounds && (quiet < QuietRounds || Stopwatch.GetElapsedTime(started) < least); round++)
        {
            var (before, since) = (processes.Sum(CompilerSeconds), Stopwatch.GetTimestamp());
            await work();
            share = Math.Max(0, processes.Sum(CompilerSeconds) - before) / Stopwatch.GetElapsedTime(since).TotalSeconds; // a thread that ended takes its time with it
            quiet = share < Rest * processes.Length ? quiet + 1 : 0;
        }

        return string.Create(CultureInfo.InvariantCulture, $"warmed up for {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s: {who} compile {100 * share:0.0} % of the time now");
    }

    /// <summary>Processor time of the threads that compile what is used often; 0 where there are none.</summary>
    private static double CompilerSeconds(int process) => Directory.EnumerateDirectories($"/proc/{process}/task").Sum(static thread =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(thread, "comm")).StartsWith(".NET Tiered", StringComparison.Ordinal)
                ? long.Parse(File.ReadAllText(Path.Combine(thread, "schedstat")).Split(' ')[0], CultureInfo.InvariantCulture) / 1e9
                : 0;
        }
        catch (IOException)
        {
            return 0; // it has ended
        }
    });

    /// <summary>Calm and changes in turn, half a second each, which of them comes first in turn as well; the processor time of a change.</summary>
    private static async Task<string> InTurnAsync(Platform platform, SteadyLoadProcess load, string name, int changes)
    {
        double postgres = 0, catalog = 0, gateways = 0;
        for (var done = 0; done < changes; done += AtOnce)
        {
            foreach (var isCalm in (bool[])[done / AtOnce % 2 == 0, done / AtOnce % 2 != 0])
            {
                await load.BeginAsync($"{name}-{(isCalm ? "calm" : "changing")}-{done}");
                var before = platform.CpuSeconds();
                await (isCalm ? Task.Delay(AtOnce * s_pace) : ChangeAsync(platform, AtOnce));
                var after = platform.CpuSeconds();
                if (!isCalm)
                {
                    (postgres, catalog, gateways) = (postgres + after.Postgres - before.Postgres, catalog + after.Catalog - before.Catalog, gateways + after.Gateways - before.Gateways);
                }
            }
        }

        await load.BeginAsync($"{name}-over");
        return Milliseconds(postgres, catalog, gateways, changes);
    }

    private static async Task ChangeAsync(Platform platform, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await Task.WhenAll(platform.Other.ChangeAsync(), Task.Delay(s_pace));
        }
    }

    private static double[][] Windows(IReadOnlyDictionary<string, List<LoadSample>> parts, string name) =>
        [.. parts.Where(part => part.Key.StartsWith(name, StringComparison.Ordinal)).Select(static part => part.Value.Select(static sample => sample.Milliseconds).ToArray())];

    /// <summary>With how much of it is chance: the same of pairs of windows, one after the other, that are drawn anew, a thousand times.</summary>
    private static string Ratio(double[][] calm, double[][] changing, double quantile)
    {
        var random = new Random(1);
        List<double> drawn = [];
        for (var i = 0; i < 1_000; i++)
        {
            int[] pairs = [.. calm.Select(_ => random.Next(calm.Length))];
            drawn.Add(Of(pairs));
        }

        return string.Create(CultureInfo.InvariantCulture, $"{Of([.. Enumerable.Range(0, calm.Length)]):0.00}; nine of ten draws of the windows {Quantile(drawn, 0.05):0.00} to {Quantile(drawn, 0.95):0.00}");

        double Of(int[] pairs) => At(changing, pairs) / At(calm, pairs);

        double At(double[][] windows, int[] pairs) => Quantile([.. pairs.SelectMany(pair => windows[pair])], quantile);
    }

    private static async Task GrowthAsync(Platform platform, int[] memory)
    {
        await using var command = platform.Database.CreateCommand(
            "select (select count(*) from config_entries), (select count(*) from config_shards), (select count(*) from config_dirty) + (select count(*) from config_dirty_parts), (select count(*) from config_entries where to_revision is null)");
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        var (entries, shards, dirty, current) = (reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3));
        Console.WriteLine($"rows: {entries} entries, {shards} contents, {dirty} noted, {current} in force");
        Check("entries of at most a hundred revisions are kept, contents at most as many, nothing is left noted", entries <= current + 300 && shards <= entries && dirty == 0);
        var after = platform.Gateways.Select(Megabytes).ToArray();
        Check($"resident memory of the gateways before the changes under load {string.Join(", ", memory)} MiB, after them {string.Join(", ", after)}", after.Sum() <= MostGrowth * memory.Sum());
    }

    private static string Cost(Platform platform, (double Postgres, double Catalog, double Gateways) since, int changes)
    {
        var now = platform.CpuSeconds();
        return Milliseconds(now.Postgres - since.Postgres, now.Catalog - since.Catalog, now.Gateways - since.Gateways, changes);
    }

    private static string Milliseconds(double postgres, double catalog, double gateways, int changes) => string.Create(CultureInfo.InvariantCulture,
        $"processor time of Postgres {1000 * postgres / changes:0.0} ms, of the catalog {1000 * catalog / changes:0.0} ms, of a gateway {1000 * gateways / changes / 3:0.0} ms");

    private static int Megabytes(ServerProcess process) =>
        (int)(long.Parse(File.ReadAllText($"/proc/{process.Id}/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize >> 20);

    private static void Row(string what, List<double> times, double promised, double quantile)
    {
        var missed = Quantile(times, quantile) > promised;
        s_missed += missed ? 1 : 0;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {what} | {times.Count} | {Quantile(times, 0.5):0.00} | {Quantile(times, 0.99):0.00} | {Quantile(times, 1):0.0} | {(double.IsNaN(promised) ? "" : $"{promised:0.##}{(missed ? " MISSED" : "")}")} |"));
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

/// <summary>Milliseconds from the beginning of a write until it was answered, and until it was in effect at each gateway.</summary>
internal sealed record SeenChange(double Written, double[] Gateways)
{
    public double Effective => Gateways.Max();

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"written {Written:0}, in effect {string.Join(" / ", Gateways.Select(static gateway => gateway.ToString("0", CultureInfo.InvariantCulture)))} ms");
}
