using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;
using OpenPlatform.Catalog.Jobs;
using OpenPlatform.Catalog.Usage;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Usage;
using OpenPlatform.Tests.Catalog.Jobs;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog.Usage;

public sealed class RollUpTests(SharedPostgres postgres) : IAsyncLifetime
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private LedJobs _led = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _led = await LedJobs.StartAsync(await postgres.CreateDatabaseAsync());

    public ValueTask DisposeAsync() => _led.DisposeAsync();

    [Fact]
    public async Task The_same_is_billed_before_and_after_the_roll_up_and_however_often_it_runs()
    {
        var application = Guid.NewGuid();
        var wanted = "";
        for (var sequence = 1; sequence <= 6; sequence++)
        {
            await PostAsync([.. Enumerable.Range(0, 50).Select(i => Units(application, i + sequence, minute: Noon.AddMinutes(i * 7), operation: $"op{i % 3}"))]);
            if (sequence % 2 == 0)
            {
                wanted = (await SumsAsync($"application={application}&limit=200")).ToJsonString();
                await _led.RunAsync("usage-roll-up");
                Assert.Equal(wanted, (await SumsAsync($"application={application}&limit=200")).ToJsonString());
            }
        }

        Assert.Equal(0, (await _led.RunAsync("usage-roll-up")).Changes);
        Assert.Equal(wanted, (await SumsAsync($"application={application}&limit=200")).ToJsonString());
        Assert.Equal((6L, 6L), await _led.SqlAsync<(long, long)>("select count(*), count(rolled_up_at) from usage_batches"));
    }

    [Fact]
    public async Task A_batch_of_any_time_is_taken_and_its_month_has_a_partition()
    {
        var application = Guid.NewGuid();
        string[] moments = ["0001-01-01T00:00:00Z", "1999-12-31T23:59:00Z", "2024-02-29T12:00:00Z", "2031-05-31T23:59:00Z", "2031-06-01T00:00:00Z", "2300-01-01T00:00:00Z", "9999-12-31T23:59:00Z"];
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => PostAsync([.. moments.Select(moment => Units(application, 1, minute: DateTimeOffset.Parse(moment, CultureInfo.InvariantCulture)))])));

        Assert.Equal(28, (await SumsAsync($"application={application}"))["totalUnits"]!.GetValue<long>());
        while ((await _led.RunAsync("usage-roll-up")).HasMore)
        {
        }

        Assert.Equal(28, (await SumsAsync($"application={application}"))["totalUnits"]!.GetValue<long>());
        Assert.Equal(
            ["usage_items_2024_02", "usage_items_2031_05", "usage_items_2031_06", "usage_items_early", "usage_items_late"],
            (await _led.SqlAsync<string>("select string_agg(name, ' ' order by name) from usage_partitions")).Split(' '));
    }

    [Fact]
    public async Task Months_are_made_ahead()
    {
        Assert.Equal(4, (await _led.RunAsync("usage-partitions")).Changes);
        Assert.Equal(0, (await _led.RunAsync("usage-partitions")).Changes);
    }

    /// <summary>By the clock of the catalog: whatever day of the month it is, also where months are of different length.</summary>
    [Fact]
    public async Task As_months_go_by_the_next_ones_are_there_before_they_are_needed_and_an_item_is_in_its_own()
    {
        var token = await _led.TakeAsync();
        var partitions = new UsagePartitions(Options.Create(new UsageOptions { MonthsAhead = 2 }));
        await AtAsync("2027-11-30T23:59:00Z");
        Assert.Equal(["2027_11", "2027_12", "2028_01"], await MonthsAsync());
        await AtAsync("2027-12-31T23:59:59Z");
        Assert.Equal(["2027_11", "2027_12", "2028_01", "2028_02"], await MonthsAsync());
        await AtAsync("2028-01-31T00:00:00Z"); // 30 days later it is March
        Assert.Equal(["2027_11", "2027_12", "2028_01", "2028_02", "2028_03"], await MonthsAsync());
        await AtAsync("2028-01-31T12:00:00Z");
        Assert.Equal(5, (await MonthsAsync()).Length);

        await PostAsync([.. ((string[])["2027-12-31T23:59:00Z", "2028-01-01T00:00:00Z", "2028-02-29T23:59:00Z", "2028-03-01T00:00:00+01:00", "2028-03-01T00:00:00Z"])
            .Select(static (moment, i) => Units(Guid.NewGuid(), i + 1, minute: DateTimeOffset.Parse(moment, CultureInfo.InvariantCulture)))]);
        Assert.Equal(
            "2027_12 1, 2028_01 2, 2028_02 3, 2028_02 4, 2028_03 5",
            await _led.SqlAsync<string>("select string_agg(replace(tableoid::regclass::text, 'usage_items_', '') || ' ' || units, ', ' order by units) from usage_items"));
        Assert.Equal(5, (await MonthsAsync()).Length); // each was there

        async Task AtAsync(string moment)
        {
            var clock = new ManualClock(DateTimeOffset.Parse(moment, CultureInfo.InvariantCulture));
            var runner = new JobRunner(_led.Services<NpgsqlDataSource>(), Options.Create(new JobOptions()), _led.Services<JobMetrics>(), clock, NullLogger<JobRunner>.Instance);
            await runner.RunAsync(partitions, "test", token, Stop);
        }

        async Task<string[]> MonthsAsync() =>
            (await _led.SqlAsync<string>("select string_agg(substr(c.relname, 13), ' ' order by c.relname) from pg_inherits h join pg_class c on c.oid = h.inhrelid where h.inhparent = 'usage_items'::regclass and c.relname ~ '[0-9]{4}'"))
            .Split(' ');
    }

    [Fact]
    public async Task Hours_that_do_not_agree_with_their_items_are_found_reported_and_mended()
    {
        await PostAsync([Units(Guid.NewGuid(), 5), Units(Guid.NewGuid(), 6, minute: Noon.AddHours(1)), Units(Guid.NewGuid(), 7, minute: Noon.AddHours(2))]);
        await _led.RunAsync("usage-roll-up");
        await _led.RunAsync("usage-reconciliation");
        var proven = (await ReconciliationAsync())["complete"]!;
        Assert.Equal(("[]", 18L, 18L, 18L, 3L), (proven["differences"]!.ToJsonString(), proven["unitsOfBatches"]!.GetValue<long>(), proven["unitsOfItems"]!.GetValue<long>(), proven["unitsOfHours"]!.GetValue<long>(), proven["hours"]!.GetValue<long>()));

        // Somebody at the database's console.
        await using (var connection = await _led.Services<NpgsqlDataSource>().OpenConnectionAsync(Stop))
        {
            await connection.ExecuteAsync(
                """
                set session_replication_role = replica;
                update usage_hours set units = 50 where units = 5;
                delete from usage_hours where units = 6;
                insert into usage_touched_hours select distinct date_trunc('hour', minute, 'UTC') from usage_items;
                set session_replication_role = default;
                """);
        }

        await _led.RunAsync("usage-reconciliation");
        var found = (await ReconciliationAsync())["changed"]!;
        Assert.True(found["repaired"]!.GetValue<bool>());
        Assert.Equal(["5 50", "6 0"], found["differences"]!.AsArray().Select(static d => $"{d!["units"]} {d["otherUnits"]}"));
        Assert.Equal(18, (await SumsAsync(""))["totalUnits"]!.GetValue<long>());
        Assert.Contains("Usage does not add up: 2 differences", _led.Catalog.Logs.All, StringComparison.Ordinal);
    }

    /// <summary>Rolled up or not, delivered late or mended: whose it was is known.</summary>
    [Fact]
    public async Task What_an_application_used_stays_with_its_organization_when_it_is_gone()
    {
        using var admin = _led.Catalog.Operator();
        var organization = (await admin.CreateAsync("organizations", new { name = "remembered" })).Id();
        var application = (await admin.CreateAsync("applications", new { organizationId = organization, name = "gone" })).Id();
        await PostAsync([Units(Guid.Parse(application), 5)]);
        using var deleted = await admin.DeleteAsync($"applications/{application}", "*");
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);

        Assert.Equal(5, await UnitsAsync());
        await _led.RunAsync("usage-roll-up");
        Assert.Equal(5, await UnitsAsync());
        await PostAsync([Units(Guid.Parse(application), 6, operation: "late")]);
        await _led.RunAsync("usage-roll-up");
        Assert.Equal(11, await UnitsAsync());
        await using (var connection = await _led.Services<NpgsqlDataSource>().OpenConnectionAsync(Stop))
        {
            await connection.ExecuteAsync("set session_replication_role = replica; update usage_hours set units = 50 where units = 5; set session_replication_role = default");
        }

        await _led.RunAsync("usage-reconciliation");
        Assert.Equal(11, await UnitsAsync());

        async Task<long> UnitsAsync() => (await SumsAsync($"organization={organization}"))["totalUnits"]!.GetValue<long>();
    }

    [Fact]
    public async Task Old_items_go_and_their_hours_stay()
    {
        var application = Guid.NewGuid();
        await PostAsync([Units(application, 5, minute: Noon.AddYears(-2)), Units(application, 6)]);
        var runner = new JobRunner(_led.Services<NpgsqlDataSource>(), Options.Create(new JobOptions()), _led.Services<JobMetrics>(), new ManualClock(Noon.AddDays(20)), NullLogger<JobRunner>.Instance);
        var retention = new UsageRetention(Options.Create(new UsageOptions()));
        var token = await _led.TakeAsync();

        // Not before they are in the hours.
        Assert.Equal(0, (await runner.RunAsync(retention, "test", token, Stop)).Changes);
        await _led.RunAsync("usage-roll-up");
        Assert.Equal(1, (await runner.RunAsync(retention, "test", token, Stop)).Changes);

        Assert.Equal(1, await _led.SqlAsync<long>("select count(*) from usage_items"));
        Assert.Equal(11, (await SumsAsync($"application={application}"))["totalUnits"]!.GetValue<long>());
        await _led.RunAsync("usage-reconciliation");
        Assert.Equal("[]", (await ReconciliationAsync())["complete"]!["differences"]!.ToJsonString());

        // The same month again, when somebody comes two years late.
        await PostAsync([Units(application, 7, minute: Noon.AddYears(-2))]);
        await _led.RunAsync("usage-roll-up");
        await _led.RunAsync("usage-reconciliation");
        Assert.Equal("[]", (await ReconciliationAsync())["changed"]!["differences"]!.ToJsonString());
        Assert.Equal(18, (await SumsAsync($"application={application}"))["totalUnits"]!.GetValue<long>());
    }

    [Fact]
    public async Task Usage_is_told_apart_by_whatever_is_asked()
    {
        using var admin = _led.Catalog.Operator();
        var organization = (await admin.CreateAsync("organizations", new { name = "Acme" })).Id();
        var application = Guid.Parse((await admin.CreateAsync("applications", new { organizationId = organization, name = "shop" })).Id());
        await PostAsync([Units(application, 1), Units(application, 2, status: 404), Units(application, 4, status: 429, minute: Noon.AddDays(1)), Units(Guid.NewGuid(), 8, minute: Noon.AddDays(40))]);
        for (var rolledUp = 0; rolledUp < 2; rolledUp++)
        {
            Assert.Equal(["null 8", $"{organization} 7"], await LinesAsync("granularity=total&groupBy=organization", "organizationId"));
            Assert.Equal(["2xx 1", "4xx 6"], await LinesAsync($"granularity=total&groupBy=statusClass&organization={organization}", "statusClass"));
            Assert.Equal(["2026-03-01T00:00:00+00:00 7", "2026-04-01T00:00:00+00:00 8"], await LinesAsync("granularity=month&groupBy=", "start"));
            Assert.Equal(["2026-03-01T00:00:00+00:00 3", "2026-03-02T00:00:00+00:00 4"], await LinesAsync($"granularity=day&groupBy=&application={application}", "start"));
            Assert.Equal(["404 2", "429 4"], await LinesAsync("granularity=total&groupBy=status&status=4xx", "status"));
            Assert.Equal(["429 4"], await LinesAsync("granularity=total&groupBy=status&status=429", "status"));
            Assert.Equal(15, (await SumsAsync("granularity=total&groupBy="))["items"]![0]!["units"]!.GetValue<long>());
            await _led.RunAsync("usage-roll-up");
        }

        async Task<string[]> LinesAsync(string query, string member) =>
            [.. (await SumsAsync(query))["items"]!.AsArray().Select(item => $"{item![member]?.ToString() ?? "null"} {item["units"]}")];
    }

    [Fact]
    public async Task The_export_has_every_row_of_all_pages_and_needs_no_more_memory_for_more_of_them()
    {
        await FillAsync(
            """
            insert into usage_hours (hour, application_id, version_id, operation_id, status, subscription_id, units)
            select timestamptz '2026-01-01Z' + n % 700 * interval '1 hour', md5((n % 50)::text)::uuid, md5('v')::uuid, case when n % 9 = 0 then 'say "hi", ' else 'op' end || n, 200, md5('s')::uuid, n + 1
            from generate_series(0, 149999) n;
            """);
        using var admin = _led.Catalog.Operator();
        admin.DefaultRequestHeaders.Accept.ParseAdd("text/csv");
        using var response = await admin.GetAsync("/admin/v1/usage", HttpCompletionOption.ResponseHeadersRead, Stop);
        Assert.Equal("text/csv", response.Content.Headers.ContentType!.MediaType);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(Stop));
        Assert.Equal("start,applicationId,apiId,versionId,operationId,status,units", await lines.ReadLineAsync(Stop));
        var (rows, units, quoted, atStart, most) = (0, 0L, 0, 0L, 0L);
        while (await lines.ReadLineAsync(Stop) is { } line)
        {
            units += long.Parse(line[(line.LastIndexOf(',') + 1)..], CultureInfo.InvariantCulture);
            quoted += line.Contains("\"say \"\"hi\"\", ", StringComparison.Ordinal) ? 1 : 0;
            if (++rows % 25_000 == 0)
            {
                var held = GC.GetTotalMemory(forceFullCollection: true);
                atStart = atStart == 0 ? held : atStart;
                most = Math.Max(most, held);
            }
        }

        Assert.Equal((150_000, 150_000L * 150_001 / 2, 16_667), (rows, units, quoted));
        Assert.True(most - atStart < 8_000_000, $"{most - atStart} bytes more than at the start");
    }

    [Fact]
    public async Task A_gateway_learns_what_was_used_in_a_window()
    {
        var (application, other, subscription) = (Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid());
        await PostAsync([Units(application, 1, minute: Noon.AddHours(-1)), Units(application, 2), Units(application, 4) with { SubscriptionId = subscription }, Units(other, 8)]);
        var request = new UsedUnitsRequest(
        [
            new(application, null, null, Noon), new(application, null, null, Noon.AddDays(-1)), new(application, null, subscription, Noon), new(application, Guid.NewGuid(), null, Noon),
            new(other, null, null, Noon), new(Guid.NewGuid(), null, null, Noon),
        ]);
        using var gateway = _led.Catalog.Gateway();
        for (var rolledUp = 0; rolledUp < 2; rolledUp++)
        {
            using var response = await gateway.PostAsJsonAsync(InternalApi.UsedUnitsPath, request, UsedUnitsJson.Default.UsedUnitsRequest, Stop);
            Assert.Equal([6L, 7, 4, 0, 8, 0], (await response.Content.ReadFromJsonAsync(UsedUnitsJson.Default.UsedUnits, Stop))!.Units);
            await _led.RunAsync("usage-roll-up");
        }

        using var wrong = await gateway.PostAsJsonAsync(InternalApi.UsedUnitsPath, new UsedUnitsRequest([new(application, null, null, Noon.AddMinutes(1))]), UsedUnitsJson.Default.UsedUnitsRequest, Stop);
        Assert.Equal(["/windows/0/from"], await wrong.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task What_was_used_of_a_quota_counts_as_much_as_its_operation_costs()
    {
        using var admin = _led.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        body["operations"]![0]!["policies"] = JsonNode.Parse("""{"cost":3}""");
        var version = (await admin.CreateAsync("apis", body))["versions"]![0]!;
        var (dear, cheap) = (version["operations"]![0]!["operationId"]!.GetValue<string>(), version["operations"]![1]!["operationId"]!.GetValue<string>());
        var application = Guid.NewGuid();
        UsageUnits Of(string operation, long units) => Units(application, units, operation) with { VersionId = version["id"]!.GetValue<Guid>() };
        await PostAsync([Of(dear, 5), Of(cheap, 1)]);
        using var gateway = _led.Catalog.Gateway();
        for (var rolledUp = 0; rolledUp < 2; rolledUp++)
        {
            using var response = await gateway.PostAsJsonAsync(InternalApi.UsedUnitsPath, new UsedUnitsRequest([new(application, null, null, Noon)]), UsedUnitsJson.Default.UsedUnitsRequest, Stop);
            Assert.Equal([16L], (await response.Content.ReadFromJsonAsync(UsedUnitsJson.Default.UsedUnits, Stop))!.Units);
            await _led.RunAsync("usage-roll-up");
        }

        Assert.Equal(6, (await SumsAsync($"application={application}"))["totalUnits"]!.GetValue<long>()); // what is billed is answers
    }

    [Fact]
    public async Task Usage_is_found_by_index()
    {
        await FillAsync(
            """
            insert into usage_hours (hour, application_id, version_id, operation_id, status, subscription_id, organization_id, api_id, units)
            select timestamptz '2026-01-01Z' + n % 700 * interval '1 hour', md5('a' || n % 400)::uuid, md5('v' || n % 400)::uuid, 'op' || n, case when n % 500 = 0 then 404 else 200 end,
                   md5('s' || n % 400)::uuid, md5('o' || n % 400)::uuid, md5('i' || n % 400)::uuid, 1
            from generate_series(0, 39999) n;
            select make_usage_partition('2026-01-01Z');
            insert into usage_batches (id, gateway, epoch, sequence, units, received_at, rolled_up_at) select md5('b' || n)::uuid, 'g', md5('e')::uuid, n, 1, now(), case when n > 10 then now() end from generate_series(1, 40000) n;
            insert into usage_items select md5('b' || n)::uuid, timestamptz '2026-01-01Z' + n % 40000 * interval '1 minute', md5('s')::uuid, md5('a')::uuid, md5('v')::uuid, 'op', 200, 1 from generate_series(1, 40000) n;
            """);
        await using var connection = await _led.Services<NpgsqlDataSource>().OpenConnectionAsync(Stop);
        await connection.ExecuteAsync("analyze usage_hours, usage_batches, usage_items");
        var some = Guid.NewGuid();
        UsageFilter[] alone =
        [
            Everything with { Application = some }, Everything with { Subscription = some }, Everything with { Organization = some }, Everything with { Api = some }, Everything with { Version = some },
            Everything with { Operation = "op7" }, Everything with { Status = "404" }, Everything with { Status = "4xx" },
        ];
        var (from, to) = (Noon.AddDays(-30), Noon.AddDays(-30).AddHours(2));
        UsageFilter[] filters =
        [
            .. alone,
            // Most usage has this status, and all of it has some: the hours bound it.
            .. ((UsageFilter[])[.. alone, Everything, Everything with { Status = "200" }, Everything with { Status = "2xx" }]).SelectMany(filter => (UsageFilter[])
                [filter with { From = from, To = to }, filter with { From = Noon.AddDays(-32), To = Noon.AddDays(-31) }, filter with { From = Noon.AddDays(-1) }, filter with { To = Noon.AddDays(-58) }]),
            Everything with { Application = some, Operation = "op7" }, Everything with { Application = some, Status = "2xx" }, Everything with { Api = some, Operation = "op7", Status = "404" },
            Everything with { Operation = "op7", Status = "2xx" },
        ];
        foreach (var filter in filters)
        {
            var query = UsageQuery.Of(filter, null).Value;
            await ByIndexAsync(query.Total(connection), filter);
            await ByIndexAsync(query.Rows(connection, null, 50), filter);
            await ByIndexAsync(query.Rows(connection, null, null), filter); // the export
        }

        // Whoever asks for everything gets the sum of all hours, and they are read for it; what is behind a cursor, and items, are found.
        var everything = UsageQuery.Of(Everything, null).Value;
        object[] late = [Noon.AddDays(-31).UtcDateTime, some, some, some, "op", (short)200];
        Assert.Equal(late.Length, everything.Columns.Count);
        await ByIndexAsync(everything.Rows(connection, late, 50), Everything);
        foreach (var whole in (NpgsqlCommand[])[everything.Total(connection), everything.Rows(connection, null, 50), everything.Rows(connection, null, null)])
        {
            Assert.DoesNotContain(await PlanAsync(whole), static line => line.Contains("Seq Scan on usage_batches", StringComparison.Ordinal) || line.Contains("Seq Scan on usage_items_2026", StringComparison.Ordinal));
        }

        static async Task ByIndexAsync(NpgsqlCommand command, UsageFilter filter)
        {
            var plan = await PlanAsync(command);
            Assert.False(plan.Exists(static line => line.Contains("Seq Scan on usage_hours", StringComparison.Ordinal) || line.Contains("Seq Scan on usage_batches", StringComparison.Ordinal)
                || line.Contains("Seq Scan on usage_items_2026", StringComparison.Ordinal)), $"{filter}\n{string.Join('\n', plan)}");
            // Along an index from end to end is no better.
            var hours = plan.FindIndex(static line => line.Contains("usage_hours", StringComparison.Ordinal) && line.Contains("Index", StringComparison.Ordinal));
            Assert.True(hours >= 0 && plan.Skip(hours + 1).Take(2).Any(static line => line.Contains("Index Cond", StringComparison.Ordinal) || line.Contains("Bitmap Index Scan", StringComparison.Ordinal)), $"{filter}\n{string.Join('\n', plan)}");
        }

        static async Task<List<string>> PlanAsync(NpgsqlCommand command)
        {
            await using var _ = command;
            command.CommandText = "explain " + command.CommandText;
            var plan = new List<string>();
            await using var reader = await command.ExecuteReaderAsync(Stop);
            while (await reader.ReadAsync(Stop))
            {
                plan.Add(reader.GetString(0));
            }

            return plan;
        }
    }

    private static UsageFilter Everything { get; } = new(null, null, null, null, null, null, null, null, null, null, null);

    /// <summary>Runs SQL as a job would.</summary>
    private async Task FillAsync(string sql)
    {
        await using var connection = await _led.Services<NpgsqlDataSource>().OpenConnectionAsync(Stop);
        await connection.ExecuteAsync($"begin; select set_config('openplatform.job_token', (select token::text from job_leader), true); {sql} commit;", commandTimeout: 300);
    }

    private static UsageUnits Units(Guid application, long units, string operation = "list", int status = 200, DateTimeOffset? minute = null) =>
        new(minute ?? Noon, Guid.NewGuid(), application, Guid.NewGuid(), operation, status, units);

    private async Task PostAsync(IReadOnlyList<UsageUnits> items)
    {
        using var gateway = _led.Catalog.Gateway();
        using var response = await gateway.PostAsJsonAsync(InternalApi.UsagePath, new UsageBatch("gateway-1", Guid.NewGuid(), 1, items), UsageJson.Default.UsageBatch, Stop);
        Assert.True(response.StatusCode == HttpStatusCode.OK, await response.Content.ReadAsStringAsync(Stop));
    }

    private async Task<JsonObject> SumsAsync(string query)
    {
        using var admin = _led.Catalog.Operator();
        using var response = await admin.GetAsync("/admin/v1/usage?" + query, Stop);
        Assert.True(response.StatusCode == HttpStatusCode.OK, await response.Content.ReadAsStringAsync(Stop));
        return await response.JsonAsync();
    }

    private async Task<JsonObject> ReconciliationAsync()
    {
        using var admin = _led.Catalog.Operator();
        return JsonNode.Parse(await admin.GetStringAsync("/admin/v1/usage/reconciliation", Stop))!.AsObject();
    }
}
