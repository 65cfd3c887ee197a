using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using Dapper;
using Npgsql;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Catalog.Storage;

/// <summary>The drill of docs/operations/backup-and-restore.md: its very commands, on real servers, while a gateway serves.</summary>
public sealed class BackupTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const string Page = "backup-and-restore.md";
    private const string DemoKey = "demo-key-of-the-backup-drill-0123456789";

    private static readonly TimeSpan LongestLoss = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestOutage = TimeSpan.FromSeconds(60);

    /// <summary>Enough that whatever holds all callers up at once, once or twice, is less than their hundredth part; few enough that the time without a database is more.</summary>
    private const int EnoughCalls = 2_000;

    private const int Callers = 4;

    private PostgresServer _primary = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _primary = await PostgresServer.StartNewAsync();

    public ValueTask DisposeAsync() => _primary.DisposeAsync();

    [Fact]
    public async Task A_lost_database_is_back_within_a_minute_without_acknowledged_writes_lost_and_nobody_noticed_at_the_gateway()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs setpriv.");
        var database = await _primary.CreateDatabaseAsync();
        await using var catalog = new CatalogServer(database, "Development", ("OpenPlatform:DemoKey", DemoKey));
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        await using var backend = await TestBackend.StartAsync();
        await using var gateway = await GatewayHost.StartAsync(catalog: null, untilReady: false, settings:
        [
            ("services:catalog:http:0", admin.BaseAddress!.ToString()), ("services:orders:http:0", backend.Address.ToString()),
            ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:KeyPepper", CatalogServer.Pepper), ("OpenPlatform:EnvelopeKey", CatalogServer.EnvelopeKey),
        ]);
        using var client = gateway.Client(DemoKey);
        await Eventually.TrueAsync(async () => (await client.GetAsync("/orders/v1/orders", Stop)).StatusCode == HttpStatusCode.OK);

        // 1. The archive runs, a base backup is taken, and life goes on.
        var backup = _primary.NewFolder("backup");
        var variables = new Dictionary<string, string>(_primary.Variables, StringComparer.Ordinal) { ["BACKUP"] = backup };
        using var archive = Drill.Start(Page, "The archive", PostgresServer.RunAs, variables);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        try
        {
            await Drill.RunAsync(Page, "A base backup", PostgresServer.RunAs, variables);
            var latencies = new ConcurrentQueue<TimeSpan>();
            var calls = Enumerable.Range(0, Callers).Select(_ => Task.Run(() => CallAsync(client, latencies, done.Token), Stop)).ToArray();
            var acknowledged = new ConcurrentDictionary<string, DateTimeOffset>(StringComparer.Ordinal);
            using var written = CancellationTokenSource.CreateLinkedTokenSource(Stop);
            var writes = Task.Run(() => WriteAsync(admin, acknowledged, written.Token), Stop);
            await Eventually.TrueAsync(() => acknowledged.Count >= 20);
            var before = acknowledged.Keys.ToArray();
            string point;
            await using (var connection = new NpgsqlConnection(database))
            {
                point = (await connection.ExecuteScalarAsync<string>("select clock_timestamp()::text"))!;
            }

            await Eventually.TrueAsync(() => acknowledged.Count >= before.Length + 20);
            latencies.Clear(); // what came before the code was compiled says nothing
            await Eventually.TrueAsync(() => latencies.Count >= EnoughCalls, TimeSpan.FromSeconds(90));

            // 2. The server is gone, for good.
            var quiet = latencies.ToArray();
            latencies.Clear();
            var killedAt = DateTimeOffset.UtcNow;
            var outage = Stopwatch.StartNew();
            await _primary.KillAsync();
            await written.CancelAsync();
            await writes;
            archive.Kill();
            await archive.WaitForExitAsync(Stop);

            // 3. Another takes its place, at the same address.
            await using var restored = await PostgresServer.RestoredAsync(_primary, data => Drill.RunAsync(Page, "A restore", PostgresServer.RunAs, With(variables, ("PGDATA", data))));
            await catalog.ReadyAsync();
            await Eventually.TrueAsync(async () =>
            {
                using var again = await admin.PostAsJsonAsync("/admin/v1/plans", new { name = "after-the-restore" }, Stop);
                return again.StatusCode is HttpStatusCode.Created or HttpStatusCode.Conflict;
            }, TimeSpan.FromSeconds(30));
            outage.Stop();
            var away = latencies.Count;
            await Eventually.TrueAsync(() => latencies.Count >= EnoughCalls, TimeSpan.FromSeconds(90));
            var during = latencies.ToArray();
            await done.CancelAsync();
            var counts = await Task.WhenAll(calls);
            var (served, failed) = (counts.Sum(static count => count.Served), counts.Sum(static count => count.Failed));

            HashSet<string> kept;
            await using (var connection = new NpgsqlConnection(database + ";Pooling=false"))
            {
                kept = [.. await connection.QueryAsync<string>("select name from plans")];
            }

            var lost = acknowledged.Where(write => !kept.Contains(write.Key)).ToArray();
            var (usual, worse) = (P99(quiet), P99(during));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"back {outage.Elapsed.TotalSeconds:0.0} s after the kill; {lost.Length} of {acknowledged.Count} acknowledged writes lost; {served} calls served, {failed} failed; 99 % of {quiet.Length} before within {usual.TotalMilliseconds:0.0} ms, of {during.Length} from then on ({away} without a database) within {worse.TotalMilliseconds:0.0} ms"));
            Assert.True(outage.Elapsed < LongestOutage, $"{outage.Elapsed}");
            Assert.All(lost, write => Assert.True(killedAt - write.Value <= LongestLoss, $"{write.Key} was acknowledged at {write.Value:O}, killed at {killedAt:O}"));
            Assert.Equal(0, failed);
            Assert.True(away >= during.Length / 50, $"{away} of {during.Length} calls were made while the database was away: they would not show");
            // Restoring takes the processors, so no more is asked than that callers do not wait for the database.
            Assert.True(worse <= (3 * usual) + TimeSpan.FromMilliseconds(50), $"{worse} instead of {usual}");

            // 4. The same backup, as it was at a moment.
            await using var past = await PostgresServer.RestoredAsync(null, data => Drill.RunAsync(Page, "A restore", PostgresServer.RunAs, With(variables, ("PGDATA", data), ("POINT", point))));
            await using var then = new NpgsqlConnection(past.ConnectionStringOf(new NpgsqlConnectionStringBuilder(database).Database!));
            await Eventually.TrueAsync(async () => !await then.ExecuteScalarAsync<bool>("select pg_is_in_recovery()"), TimeSpan.FromSeconds(30));
            var names = (await then.QueryAsync<string>("select name from plans")).ToHashSet(StringComparer.Ordinal);
            Assert.All(before, name => Assert.Contains(name, names));
            Assert.True(names.Count < kept.Count, $"{names.Count} plans then, {kept.Count} in the end");
        }
        finally
        {
            await done.CancelAsync();
            if (!archive.HasExited)
            {
                archive.Kill();
            }
        }
    }

    private static async Task<(int Served, int Failed)> CallAsync(HttpClient client, ConcurrentQueue<TimeSpan> latencies, CancellationToken done)
    {
        var (served, failed) = (0, 0);
        while (!done.IsCancellationRequested)
        {
            var watch = Stopwatch.StartNew();
            using var response = await client.GetAsync("/orders/v1/orders", CancellationToken.None);
            latencies.Enqueue(watch.Elapsed);
            _ = response.StatusCode == HttpStatusCode.OK ? served++ : failed++;
            await Task.Delay(5, CancellationToken.None); // the pace of the caller: what it sees is measured, nothing waits for it
        }

        return (served, failed);
    }

    private static TimeSpan P99(TimeSpan[] latencies) => latencies.Order().ElementAt((int)(latencies.Length * 0.99));

    private static async Task WriteAsync(HttpClient admin, ConcurrentDictionary<string, DateTimeOffset> acknowledged, CancellationToken done)
    {
        for (var i = 0; !done.IsCancellationRequested; i++)
        {
            try
            {
                using var response = await admin.PostAsJsonAsync("/admin/v1/plans", new { name = $"plan-{i}" }, done);
                if (response.StatusCode == HttpStatusCode.Created)
                {
                    acknowledged[$"plan-{i}"] = DateTimeOffset.UtcNow;
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
            {
                // Not acknowledged.
            }
        }
    }

    private static Dictionary<string, string> With(Dictionary<string, string> variables, params (string Name, string Value)[] more)
    {
        var result = new Dictionary<string, string>(variables, StringComparer.Ordinal);
        foreach (var (name, value) in more)
        {
            result[name] = value;
        }

        return result;
    }
}
