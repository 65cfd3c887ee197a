using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

[Collection(Beside.Name)]
public sealed class AuditTests(SharedPostgres postgres) : IAsyncLifetime
{
    /// <summary>Tables whose rows are no decision of anybody. Whoever adds a table either audits it or says here why not.</summary>
    private static readonly Dictionary<string, string> NotAudited = new(StringComparer.Ordinal)
    {
        ["audit"] = "is the audit",
        ["schema_migrations"] = "follows from the version of the catalog",
        ["config_revisions"] = "follows from the rows that are audited",
        ["config_head"] = "follows from the rows that are audited",
        ["config_shards"] = "follows from the rows that are audited",
        ["config_entries"] = "follows from the rows that are audited",
        ["config_dirty"] = "follows from the rows that are audited",
        ["config_dirty_parts"] = "follows from the rows that are audited",
        ["usage_batches"] = "what gateways counted",
        ["usage_items"] = "what gateways counted",
        ["plan_rate_limits"] = "repeats the revisions of plans for replicas of the version before",
        ["token_revocations"] = "what clients took back, for minutes",
        ["token_assertions"] = "what clients used, for minutes",
        ["outbox"] = "tells others what is in the audit",
        ["gateway_replicas"] = "what gateways report of themselves",
        ["gateway_instances"] = "what gateways report of themselves",
        ["webhook_deliveries"] = "how far deliveries are",
        ["credential_uses"] = "what gateways saw",
        ["access_token_uses"] = "on which day somebody called",
        ["job_leader"] = "what jobs note while they work",
        ["jobs"] = "what jobs note while they work",
        ["job_requests"] = "what jobs note while they work",
        ["credential_notices"] = "what jobs note while they work",
        ["usage_partitions"] = "what jobs note while they work",
        ["applications_gone"] = "follows from the rows that are audited",
        ["usage_items_late"] = "what gateways counted",
        ["usage_horizon"] = "what gateways counted",
        ["usage_hours"] = "what gateways counted",
        ["usage_touched_hours"] = "what gateways counted",
        ["usage_reconciliations"] = "what gateways counted",
        ["login_attempts"] = "counts wrong passwords",
        ["idempotency"] = "answers, kept for a day",
    };

    private CatalogServer _catalog = null!;
    private NpgsqlDataSource _database = null!;
    private string _connectionString = "";
    private HttpClient _admin = null!;

    public async ValueTask InitializeAsync()
    {
        var connection = await postgres.CreateDatabaseAsync();
        _connectionString = connection;
        _database = NpgsqlDataSource.Create(connection);
        _catalog = new(connection);
        await _catalog.ReadyAsync();
        _admin = _catalog.Operator();
    }

    public async ValueTask DisposeAsync()
    {
        _admin.Dispose();
        await _catalog.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task Every_table_is_audited_or_is_known_not_to_be()
    {
        await using var connection = await _database.OpenConnectionAsync();
        var silent = await connection.QueryAsync<string>(
            """
            select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition
              and not exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgrelid = c.oid and p.proname in ('audit_change', 'audit_parts'))
            """);
        Assert.Empty(silent.Except(NotAudited.Keys));
    }

    [Fact]
    public async Task Every_change_says_who_did_what_to_what_and_links_to_the_one_before()
    {
        var id = await new Parts(_admin).NewAsync("applications");
        using var suspended = await _admin.ActAsync($"applications/{id}:suspend", "*");
        Assert.Equal(HttpStatusCode.OK, suspended.StatusCode);

        var (entries, _) = await ListAsync($"?kind=application&id={id}");

        Assert.Equal(["update", "insert"], entries.Select(Text("action")));
        Assert.All(entries, static entry => Assert.Equal("token:deployment", Text("actor")(entry)));
        Assert.All(entries, static entry => Assert.Matches("^[0-9a-f]{32}$", Text("traceId")(entry)));
        Assert.Equal(["etag", "suspended"], entries[0]["changed"]!.AsArray().Select(static name => name!.GetValue<string>()));
        Assert.Null(entries[1]["beforeSha256"]);
        Assert.Equal(Text("afterSha256")(entries[1]), Text("beforeSha256")(entries[0]));
        Assert.NotEqual(Text("afterSha256")(entries[1]), Text("afterSha256")(entries[0]));
        Assert.True((await VerifyAsync())["isWhole"]!.GetValue<bool>());
    }

    [Fact]
    public async Task A_hand_at_the_database_is_in_the_audit_too()
    {
        var id = await new Parts(_admin).NewAsync("applications");
        await using var connection = await _database.OpenConnectionAsync();
        await connection.ExecuteAsync("update applications set suspended = true where id = @id; update applications set suspended = true where id = @id", new { id = Guid.Parse(id) });

        var (entries, _) = await ListAsync($"?id={id}&actor=database:catalog_tests");

        Assert.Equal(["suspended"], Assert.Single(entries)["changed"]!.AsArray().Select(static name => name!.GetValue<string>()));
    }

    [Fact]
    public async Task Secrets_are_not_inside_not_even_hashed()
    {
        var application = await new Parts(_admin).NewAsync("applications");
        var issued = await _admin.CreateAsync("credentials", new { applicationId = application });
        await using var connection = await _database.OpenConnectionAsync();
        var hash = await connection.ExecuteScalarAsync<byte[]>("select hash from credentials");
        await connection.ExecuteAsync("alter table credentials disable trigger credentials_stay_what_they_are; update credentials set hash = sha256('another')");

        var entries = (await ListAsync("?kind=credential")).Entries;

        var everything = await connection.ExecuteScalarAsync<string>("select string_agg(audit::text, ' ') from audit");
        Assert.DoesNotContain(issued["key"]!.GetValue<string>(), everything, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToHexStringLower(hash!), everything, StringComparison.Ordinal);
        Assert.Equal(["hash"], entries[0]["changed"]!.AsArray().Select(static name => name!.GetValue<string>()));
        Assert.Equal(Text("beforeSha256")(entries[0]), Text("afterSha256")(entries[0]));
    }

    [Fact]
    public async Task Tampering_with_any_column_of_any_entry_is_found_and_named()
    {
        await new Parts(_admin).NewAsync("subscriptions");
        await using var connection = await _database.OpenConnectionAsync();
        var columns = (await connection.QueryAsync<(string Name, string Type)>(
            "select column_name, data_type from information_schema.columns where table_name = 'audit' order by ordinal_position")).AsList();
        var entries = await connection.ExecuteScalarAsync<long>("select count(*) from audit");
        Assert.True(entries > 5);

        foreach (var sequence in Enumerable.Range(1, (int)entries))
        {
            foreach (var (name, type) in columns)
            {
                var other = type switch
                {
                    "bigint" => "sequence + 1000000",
                    "timestamp with time zone" => "at + interval '1 microsecond'",
                    "bytea" => $"sha256(coalesce({name}, ''))",
                    _ => name switch
                    {
                        "action" => "case action when 'delete' then 'insert' else 'delete' end",
                        "trace_id" => "repeat('0', 31) || '1'",
                        "kind" => "kind || 'x'",
                        _ => $"{name} || '0'",
                    },
                };
                await TamperAsync(connection, $"create temp table kept as select * from audit where sequence = {sequence}; update audit set {name} = {other} where sequence = {sequence}");

                var verdict = await VerifyAsync();

                Assert.False(verdict["isWhole"]!.GetValue<bool>(), $"{name} of entry {sequence}");
                Assert.Equal(sequence, verdict["broken"]!["sequence"]!.GetValue<long>());
                await TamperAsync(connection, $"delete from audit where sequence in ({sequence}, {sequence} + 1000000); insert into audit select * from kept; drop table kept");
            }
        }

        Assert.True((await VerifyAsync())["isWhole"]!.GetValue<bool>());
    }

    [Fact]
    public async Task A_removed_entry_is_found_and_a_cut_or_rewritten_end_by_who_noted_it()
    {
        await new Parts(_admin).NewAsync("subscriptions");
        var last = (await VerifyAsync())["last"]!.AsObject();
        var end = last["sequence"]!.GetValue<long>();
        await using var connection = await _database.OpenConnectionAsync();
        Assert.True((await VerifyAsync(last))["isWhole"]!.GetValue<bool>());

        await TamperAsync(connection, "delete from audit where sequence = 2");
        Assert.Equal(2, (await VerifyAsync())["broken"]!["sequence"]!.GetValue<long>());
        await TamperAsync(connection, "delete from audit where sequence > 1");
        Assert.True((await VerifyAsync())["isWhole"]!.GetValue<bool>(), "alone, a shorter chain is a chain");
        Assert.Equal(2, (await VerifyAsync(last))["broken"]!["sequence"]!.GetValue<long>());
        for (var i = 1L; i < end; i++)
        {
            await connection.ExecuteAsync("select audit_append('insert', 'plan', 'forged', '', null, null)");
        }

        Assert.True((await VerifyAsync())["isWhole"]!.GetValue<bool>(), "alone, a forged chain is a chain");
        Assert.Equal(end, (await VerifyAsync(last))["broken"]!["sequence"]!.GetValue<long>());
    }

    [Theory]
    [InlineData("update audit set actor = 'somebody else'")]
    [InlineData("delete from audit")]
    [InlineData("truncate audit")]
    public async Task The_audit_is_append_only(string statement)
    {
        await new Parts(_admin).NewAsync("organizations");
        await using var connection = await _database.OpenConnectionAsync();
        var refused = await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(statement));
        Assert.Equal("the audit is append-only", refused.MessageText);
    }

    [Fact]
    public async Task A_command_verifies_with_the_database_alone_and_says_so_by_its_exit_code()
    {
        await new Parts(_admin).NewAsync("organizations");
        var last = (await VerifyAsync())["last"]!;
        var anchor = $"{last["sequence"]}:{last["sha256"]}";
        Assert.Equal((0, true), await CommandAsync(_connectionString, anchor));
        Assert.Equal(2, (await CommandAsync(_connectionString, "1:nonsense")).ExitCode);

        await using var connection = await _database.OpenConnectionAsync();
        await TamperAsync(connection, "update audit set actor = 'somebody' where sequence = 1");
        Assert.Equal((1, false), await CommandAsync(_connectionString));

        static async Task<(int ExitCode, bool? IsWhole)> CommandAsync(string database, params string[] arguments)
        {
            var start = new System.Diagnostics.ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
            foreach (var argument in (string[])[Path.Combine(AppContext.BaseDirectory, "OpenPlatform.Catalog.dll"), "--verify-audit", .. arguments])
            {
                start.ArgumentList.Add(argument);
            }

            foreach (var (name, value) in ((string, string)[])
                [("ConnectionStrings__catalogdb", database), ("ConnectionStrings__redis", "127.0.0.1:1"), ("OpenPlatform__AdminToken", CatalogServer.AdminToken),
                 ("OpenPlatform__ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform__KeyPepper", CatalogServer.Pepper)])
            {
                start.Environment[name] = value;
            }

            using var process = System.Diagnostics.Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            var output = await process.StandardOutput.ReadToEndAsync();
            await errors;
            await process.WaitForExitAsync();
            return (process.ExitCode, output.Length == 0 ? null : JsonNode.Parse(output)!["isWhole"]!.GetValue<bool>());
        }
    }

    [Fact]
    public async Task Writers_at_once_make_one_chain()
    {
        await Task.WhenAll(Enumerable.Range(0, 12).Select(async i =>
        {
            await using var connection = await _database.OpenConnectionAsync();
            for (var j = 0; j < 20; j++)
            {
                await connection.ExecuteAsync("insert into organizations (id, name, created_at) values (gen_random_uuid(), @name, now())", new { name = $"{i}-{j}" });
            }
        }));

        var verdict = await VerifyAsync();
        Assert.True(verdict["isWhole"]!.GetValue<bool>(), verdict.ToJsonString());
        Assert.Equal(12 * 20, verdict["entries"]!.GetValue<long>());
    }

    [Fact]
    public async Task Lists_are_filtered_and_their_pages_show_every_entry_once()
    {
        var before = DateTimeOffset.UtcNow.AddSeconds(-1);
        for (var i = 0; i < 5; i++)
        {
            await new Parts(_admin).NewAsync("organizations");
        }

        var seen = new List<long>();
        for (string? next = "?kind=organization&limit=2"; next is not null;)
        {
            (var entries, next) = await ListAsync(next);
            seen.AddRange(entries.Select(static entry => entry["sequence"]!.GetValue<long>()));
        }

        Assert.Equal([5, 4, 3, 2, 1], seen);
        Assert.Equal(5, (await ListAsync($"?from={before:O}".Replace("+", "%2B", StringComparison.Ordinal))).Entries.Count);
        Assert.Empty((await ListAsync($"?to={before:O}".Replace("+", "%2B", StringComparison.Ordinal))).Entries);
        Assert.Empty((await ListAsync("?actor=nobody")).Entries);
        foreach (var cursor in new[] { "x", "nonsense!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA" })
        {
            using var refused = await _admin.GetAsync($"/admin/v1/audit?cursor={cursor}");
            Assert.Equal(["?cursor"], await refused.ProblemAsync(HttpStatusCode.BadRequest));
        }
    }

    [Fact]
    public async Task Times_of_the_audit_do_not_go_back_when_the_clock_does()
    {
        await new Parts(_admin).NewAsync("organizations");
        await using var connection = await _database.OpenConnectionAsync();
        await TamperAsync(connection, "update audit set at = at + interval '1 hour'"); // as if it had been an hour later then
        var then = new DateTimeOffset(await connection.ExecuteScalarAsync<DateTime>("select at from audit where sequence = 1"));

        await new Parts(_admin).NewAsync("organizations");

        var (entries, _) = await ListAsync("");
        Assert.Equal([then, then], entries.Select(static entry => entry["at"]!.GetValue<DateTimeOffset>()));
        Assert.Equal(2, (await ListAsync($"?from={Uri.EscapeDataString(then.ToString("O"))}")).Entries.Count);
        Assert.Empty((await ListAsync($"?to={Uri.EscapeDataString(then.ToString("O"))}")).Entries);
    }

    private static Func<JsonNode, string> Text(string member) => node => node[member]!.GetValue<string>();

    // As the owner of the database could do it: with the guards off.
    private static Task TamperAsync(NpgsqlConnection connection, string sql) =>
        connection.ExecuteAsync($"set session_replication_role = replica; {sql}; set session_replication_role = origin");

    private async Task<(List<JsonNode> Entries, string? Next)> ListAsync(string query)
    {
        using var response = await _admin.GetAsync("/admin/v1/audit" + query);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var next = response.Headers.TryGetValues("Link", out var links) ? links.Single()[1..].Split('>')[0].Split('?')[1] : null;
        return ([.. (await response.JsonAsync())["items"]!.AsArray().Select(static entry => entry!)], next is null ? null : "?" + next);
    }

    private async Task<JsonObject> VerifyAsync(JsonObject? anchor = null)
    {
        using var response = await _admin.PostAsync("/admin/v1/audit:verify", anchor is null ? null : JsonContent.Create(anchor));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.JsonAsync();
    }
}
