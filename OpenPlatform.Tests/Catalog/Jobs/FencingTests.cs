using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Jobs;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Usage;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Catalog.Jobs;

[Collection(Beside.Name)]
public sealed class FencingTests(SharedPostgres postgres)
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_holder_that_loses_the_lease_in_the_middle_of_a_job_changes_nothing()
    {
        await using var led = await LedJobs.StartAsync(await postgres.CreateDatabaseAsync());
        var old = await led.TakeAsync();
        var wrote = new TaskCompletionSource();
        var goOn = new TaskCompletionSource();
        var interrupted = led.RunAsync(new ScriptedJob(async run =>
        {
            await run.Connection.ExecuteAsync(run.Sql("insert into usage_touched_hours values (@Noon)", new { Noon }));
            run.Emit("openplatform.test.happened", "test", new { });
            wrote.SetResult();
            await goOn.Task;
            return new(1);
        }), old);
        await wrote.Task;

        var young = await led.TakeAsync();
        await led.RunAsync(new ScriptedJob(_ => Task.FromResult(new JobResult(7))), young);
        goOn.SetResult();

        await Assert.ThrowsAsync<StaleTokenException>(() => interrupted);
        Assert.True(young > old);
        Assert.Equal((0L, 0L, young, 7L), await led.SqlAsync<(long, long, long, long)>(
            "select (select count(*) from usage_touched_hours), (select count(*) from outbox), token, changes from jobs where name = 'scripted'"));
    }

    /// <summary>Its revocation was told already, or is about to be: that it will end is no news after that.</summary>
    [Fact]
    public async Task A_credential_that_is_being_revoked_is_not_told_to_end_soon()
    {
        await using var led = await LedJobs.StartAsync(await postgres.CreateDatabaseAsync());
        using var admin = led.Catalog.Operator();
        var application = await new Parts(admin).NewAsync("applications");
        var ids = new List<string>();
        for (var i = 0; i < 2; i++)
        {
            ids.Add((await admin.CreateAsync("credentials", new { applicationId = application, expiresAt = DateTimeOffset.UtcNow.AddDays(3) })).Id());
        }

        await using var connection = await led.Services<NpgsqlDataSource>().OpenConnectionAsync(Stop);
        await using var transaction = await connection.BeginTransactionAsync(Stop);
        await connection.ExecuteAsync("select from config_head for update; update credentials set revoked_at = now() where id = @id", new { id = Guid.Parse(ids[0]) }, transaction);
        var run = led.RunAsync("credential-expiry");
        await Eventually.TrueAsync(async () => run.IsCompleted || await led.SqlAsync<bool>("select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"));
        await transaction.CommitAsync(Stop);

        Assert.Equal(1, (await run).Changes);
        Assert.Equal($"credentials/{ids[1]}", await led.SqlAsync<string>("select subject from outbox where type = 'openplatform.credential.expiring'"));
    }

    /// <summary>It would be lost: taken by a holder that may not run it.</summary>
    [Fact]
    public async Task A_holder_that_lost_the_lease_takes_no_request_with_it()
    {
        await using var led = await LedJobs.StartAsync(await postgres.CreateDatabaseAsync());
        var old = await led.TakeAsync();
        var young = await led.TakeAsync();
        using var admin = led.Catalog.Operator();
        using var asked = await admin.PostAsync("/admin/v1/jobs/usage-roll-up:run", null, Stop);
        Assert.Equal(HttpStatusCode.Accepted, asked.StatusCode);

        var leadership = led.Services<Leadership>();
        Assert.Empty(await leadership.TakeRequestsAsync(old, Stop));
        Assert.Equal(["usage-roll-up"], await leadership.TakeRequestsAsync(young, Stop));
        Assert.Empty(await leadership.TakeRequestsAsync(young, Stop));
    }

    [Fact]
    public async Task An_old_token_no_token_and_a_made_up_token_are_refused_by_the_database()
    {
        await using var led = await LedJobs.StartAsync(await postgres.CreateDatabaseAsync());
        var old = await led.TakeAsync();
        await led.TakeAsync();

        await Assert.ThrowsAsync<StaleTokenException>(() => led.RunAsync(new ScriptedJob(_ => Task.FromResult(new JobResult(1))), old));
        await Assert.ThrowsAsync<StaleTokenException>(() => led.RunAsync(new ScriptedJob(_ => Task.FromResult(new JobResult(1))), old + 1000));
        foreach (var table in new[] { "jobs", "usage_hours", "usage_touched_hours", "usage_horizon", "usage_reconciliations", "credential_notices" })
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => led.SqlAsync<int>($"with d as (delete from {table} returning 1) select count(*)::integer from d"));
            Assert.Equal(Leadership.Refused, refused.SqlState);
        }
    }

    [Fact]
    public async Task A_job_that_fails_says_why_and_the_next_one_runs()
    {
        await using var led = await LedJobs.StartAsync(await postgres.CreateDatabaseAsync());
        var token = await led.TakeAsync();

        await led.RunAsync(new ScriptedJob(_ => throw new InvalidOperationException("no such luck")), token);
        Assert.Equal((false, "no such luck"), await led.SqlAsync<(bool, string)>("select succeeded, detail from jobs where name = 'scripted'"));

        await led.RunAsync(new ScriptedJob(_ => Task.FromResult(new JobResult(1))), token);
        Assert.True(await led.SqlAsync<bool>("select succeeded from jobs where name = 'scripted'"));
    }

    /// <summary>Two catalogs; the one that leads is frozen in the middle of a roll-up, the other goes on, and the first wakes up.</summary>
    [Fact]
    public async Task A_frozen_holder_that_wakes_up_changes_nothing()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsMacOS(), "Processes cannot be frozen here.");
        var database = await postgres.CreateDatabaseAsync();
        await using var first = await StartCatalogAsync(database);
        await using var connection = new NpgsqlConnection(database);
        await Eventually.TrueAsync(async () => await HolderAsync(connection) == first.Id);
        await using var second = await StartCatalogAsync(database);
        using var gateway = new HttpClient { BaseAddress = second.Address, DefaultRequestHeaders = { Authorization = new("Bearer", CatalogServer.ServiceToken) } };
        var application = Guid.NewGuid();

        // 1. The first one stands in its transaction, because a table it needs is locked, and is frozen there.
        await using (var locker = new NpgsqlConnection(database))
        {
            await locker.OpenAsync(Stop);
            await using var transaction = await locker.BeginTransactionAsync(Stop);
            await locker.ExecuteAsync("lock table usage_hours in exclusive mode", transaction: transaction);
            await PostAsync(gateway, application, 5);
            await Eventually.TrueAsync(async () => await connection.ExecuteScalarAsync<long>(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%usage_hours%'") > 0);
            first.Freeze();
        }

        // 2. The other takes over and does the work.
        try
        {
            await Eventually.TrueAsync(async () => await HolderAsync(connection) == second.Id, TimeSpan.FromSeconds(30));
            await PostAsync(gateway, application, 7);
            await Eventually.TrueAsync(async () => await RolledUpAsync(connection, application) == 12, TimeSpan.FromSeconds(30));
        }
        finally
        {
            first.Thaw();
        }

        // 3. The first wakes up, finds out, and nothing of what it had in hand came to pass.
        var token = await connection.ExecuteScalarAsync<long>("select token from job_leader");
        await Eventually.TrueAsync(() => first.Output.Contains("Leaves the leader-only work", StringComparison.Ordinal), TimeSpan.FromSeconds(30));
        await PostAsync(gateway, application, 1);
        await Eventually.TrueAsync(async () => await RolledUpAsync(connection, application) == 13, TimeSpan.FromSeconds(30));
        Assert.Equal(second.Id, await HolderAsync(connection));
        Assert.Equal((token, token), await connection.QuerySingleAsync<(long, long)>("select min(token), (select token from job_leader) from jobs where name = 'usage-roll-up'"));

        // 4. A killed holder is replaced as well.
        second.Kill();
        await Eventually.TrueAsync(async () => await HolderAsync(connection) == first.Id, TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Operators_see_who_does_what_and_can_ask_for_a_run()
    {
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync());
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        JsonNode? JobOf(JsonObject list) => list["items"]!.AsArray().Single(job => job!["name"]!.GetValue<string>() == "usage-partitions")!["lastRun"];
        JsonObject list = [];
        await Eventually.TrueAsync(async () => JobOf(list = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/jobs"))!.AsObject()) is not null);
        Assert.True(JobOf(list)!["succeeded"]!.GetValue<bool>());
        Assert.Equal(list["token"]!.GetValue<long>(), JobOf(list)!["token"]!.GetValue<long>());
        Assert.Contains($":{Environment.ProcessId}:", list["holder"]!.GetValue<string>(), StringComparison.Ordinal);

        var before = JobOf(list)!["finishedAt"]!.GetValue<DateTimeOffset>();
        using (var accepted = await admin.PostAsync("/admin/v1/jobs/usage-partitions:run", null))
        {
            Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        }

        await Eventually.TrueAsync(async () => JobOf(JsonNode.Parse(await admin.GetStringAsync("/admin/v1/jobs"))!.AsObject())!["finishedAt"]!.GetValue<DateTimeOffset>() > before);
        using var unknown = await admin.PostAsync("/admin/v1/jobs/no-such-job:run", null);
        await unknown.ProblemAsync(HttpStatusCode.NotFound);
    }

    private static async Task<int> HolderAsync(NpgsqlConnection connection) =>
        int.Parse((await connection.ExecuteScalarAsync<string?>("select holder from job_leader where expires_at > now()") ?? "::").Split(':')[1] is { Length: > 0 } id ? id : "0", System.Globalization.CultureInfo.InvariantCulture);

    private static Task<long> RolledUpAsync(NpgsqlConnection connection, Guid application) =>
        connection.ExecuteScalarAsync<long>("select coalesce(sum(units), 0)::bigint from usage_hours where application_id = @application", new { application });

    private static async Task PostAsync(HttpClient gateway, Guid application, long units)
    {
        var batch = new UsageBatch("gateway-1", Guid.NewGuid(), 1, [new(Noon, Guid.NewGuid(), application, Guid.NewGuid(), "list", 200, units)]);
        using var response = await gateway.PostAsJsonAsync(InternalApi.UsagePath, batch, UsageJson.Default.UsageBatch, Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    private static async Task<ServiceProcess> StartCatalogAsync(string database)
    {
        var process = await ServiceProcess.StartAsync("OpenPlatform.Catalog.dll", Processes.Environment(
        [
            ("ConnectionStrings:catalogdb", database), ("ConnectionStrings:redis", "127.0.0.1:1,password=none"), ("OpenPlatform:AdminToken", CatalogServer.AdminToken),
            ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:KeyPepper", CatalogServer.Pepper),
            ("OpenPlatform:Jobs:Lease", "00:00:02"), ("OpenPlatform:Usage:RollUpInterval", "00:00:00.1"),
        ]));
        using var client = new HttpClient { BaseAddress = process.Address };
        await Eventually.TrueAsync(async () => (await client.GetAsync("/health", Stop)).IsSuccessStatusCode, TimeSpan.FromSeconds(60));
        return process;
    }

    private sealed class ScriptedJob(Func<JobRun, Task<JobResult>> script) : IJob
    {
        public string Name => "scripted";

        public TimeSpan Interval => TimeSpan.FromHours(1);

        public Task<JobResult> RunAsync(JobRun run) => script(run);
    }
}
