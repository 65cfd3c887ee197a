using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Usage;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog.Storage;

/// <summary>A primary and its synchronous standby, as docs/operations/failover.md sets them up.</summary>
public sealed class FailoverTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const string Page = "failover.md";
    private const int Writers = 4;

    private PostgresServer _primary = null!;
    private PostgresServer _standby = null!;
    private string _database = "";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _primary = await PostgresServer.StartNewAsync();
        _database = new NpgsqlConnectionStringBuilder(await _primary.CreateDatabaseAsync()).Database!;
        _standby = await PostgresServer.RestoredAsync(null, data => Drill.RunAsync(Page, "A standby", PostgresServer.RunAs, new Dictionary<string, string>(_primary.Variables, StringComparer.Ordinal) { ["PGDATA"] = data }));
        await Drill.RunAsync(Page, "Synchronous", PostgresServer.RunAs, _primary.Variables);
        await using var connection = new NpgsqlConnection(_primary.ConnectionStringOf(_database));
        await Eventually.TrueAsync(async () => await connection.ExecuteScalarAsync<string?>("select max(sync_state) from pg_stat_replication") == "sync");
    }

    public async ValueTask DisposeAsync()
    {
        await _standby.DisposeAsync();
        await _primary.DisposeAsync();
    }

    [Fact]
    public async Task A_standby_that_is_promoted_under_load_has_every_acknowledged_write()
    {
        await using var catalog = new CatalogServer(PostgresServer.ConnectionStringOf(_database, _primary, _standby));
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        using var gateway = catalog.Gateway();
        var acknowledged = new ConcurrentBag<string>();
        var units = 0;
        var application = Guid.NewGuid();
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var writers = Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; !done.IsCancellationRequested; i++)
            {
                var name = $"plan-{writer}-{i}";
                using var plan = await admin.PostAsJsonAsync("/admin/v1/plans", new { name }, CancellationToken.None);
                if (plan.StatusCode == HttpStatusCode.Created)
                {
                    acknowledged.Add(name);
                }

                var batch = new UsageBatch($"gateway-{writer}", Guid.NewGuid(), 1, [new(new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero), Guid.NewGuid(), application, Guid.NewGuid(), "list", 200, 1)]);
                using var posted = await gateway.PostAsJsonAsync(InternalApi.UsagePath, batch, UsageJson.Default.UsageBatch, CancellationToken.None);
                if (posted.StatusCode == HttpStatusCode.OK)
                {
                    Interlocked.Increment(ref units);
                }
            }
        }, Stop)).ToArray();
        await Eventually.TrueAsync(() => acknowledged.Count >= 40, TimeSpan.FromSeconds(30));

        await _primary.KillAsync();
        await Drill.RunAsync(Page, "Promote", PostgresServer.RunAs, _standby.Variables);
        var atPromotion = acknowledged.Count;
        await Eventually.TrueAsync(() => acknowledged.Count >= atPromotion + 40, TimeSpan.FromSeconds(60));
        await done.CancelAsync();
        await Task.WhenAll(writers);

        await using var connection = new NpgsqlConnection(_standby.ConnectionStringOf(_database));
        var kept = (await connection.QueryAsync<string>("select name from plans")).ToHashSet(StringComparer.Ordinal);
        Assert.Equal([], acknowledged.Where(name => !kept.Contains(name)));
        var billed = await connection.ExecuteScalarAsync<long>("select coalesce(sum(units), 0)::bigint from usage_items where application_id = @application", new { application });
        output.WriteLine($"{acknowledged.Count} writes acknowledged, {atPromotion} before the promotion, none lost; {units} units acknowledged, {billed} kept");
        // A commit whose answer was lost with the primary may be there.
        Assert.InRange(billed, units, units + Writers);
        Assert.Equal(HttpStatusCode.OK, await CatalogServer.HealthAsync(admin));
    }

    [Fact]
    public async Task Queries_of_usage_go_to_the_replica_and_to_the_primary_while_it_is_away()
    {
        await using var catalog = new CatalogServer(_primary.ConnectionStringOf(_database), settings: ("ConnectionStrings:catalogdb-readonly", _standby.ConnectionStringOf(_database) + ";Application Name=reads;Timeout=2"));
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        using var gateway = catalog.Gateway();
        var batch = new UsageBatch("gateway-1", Guid.NewGuid(), 1, [new(new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero), Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid(), "list", 200, 7)]);
        using (var posted = await gateway.PostAsJsonAsync(InternalApi.UsagePath, batch, UsageJson.Default.UsageBatch, Stop))
        {
            Assert.Equal(HttpStatusCode.OK, posted.StatusCode);
        }

        await Eventually.TrueAsync(async () => await UnitsAsync(admin) == 7); // a replica may be a moment behind
        await using (var onStandby = new NpgsqlConnection(_standby.ConnectionStringOf(_database)))
        {
            Assert.True(await onStandby.ExecuteScalarAsync<long>("select count(*) from pg_stat_activity where application_name = 'reads'") > 0);
        }

        // The primary does not wait for a standby that is gone while this asks.
        await using (var onPrimary = new NpgsqlConnection(_primary.ConnectionStringOf(_database)))
        {
            await onPrimary.ExecuteAsync("alter system set synchronous_standby_names = ''");
            await onPrimary.ExecuteAsync("select pg_reload_conf()");
        }

        await _standby.KillAsync();
        Assert.Equal(7, await UnitsAsync(admin));
        Assert.Contains("The read-only replica does not answer, the primary does its work", catalog.Logs.All, StringComparison.Ordinal);
    }

    private static async Task<long> UnitsAsync(HttpClient admin) => JsonNode.Parse(await admin.GetStringAsync("/admin/v1/usage", Stop))!["totalUnits"]!.GetValue<long>();
}
