using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Dapper;
using Npgsql;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog.Storage;

/// <summary>Whatever list the admin API has, Postgres finds it by an index.</summary>
public sealed partial class ListPlansTests(SharedPostgres postgres)
{
    // Every statement tells its plan in a notice, which the driver logs. The tables are small here: without the last setting the planner
    // rightly reads them whole; what no index can answer stays a sequential scan.
    private const string TellPlans = "-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c auto_explain.log_level=notice -c enable_seqscan=off -c jit=off";

    // What was done, not what was meant: how many rows each scan read, and how many it threw away. Thousands of rows stand for millions: without the last settings the
    // planner rightly reads so few of them whole to join them with a page. What no index answers is found along some index then, and thrown away.
    private const string TellReads = "-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c auto_explain.log_level=notice -c auto_explain.log_analyze=on -c auto_explain.log_timing=off -c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off";

    private const int Rows = 4_000;
    private const int Limit = 100;

    /// <summary>A page needs a row for each of its items, or a few where there are parts; among <see cref="Rows"/> that is told from reading on and on.</summary>
    private const int MostRead = 6 * Limit;

    /// <summary>Few rows, and all of them are what is asked for: one in all, one a job, one a gateway.</summary>
    private static readonly string[] ReadWhole = ["config_head", "job_leader", "jobs", "gateway_instances"];

    /// <summary>Lists without pages, or whose page is a sum (of a version's callers in 30 days; by index: <c>BackendChangeTests</c>).</summary>
    private static readonly string[] AnsweredWhole = ["ListJobs", "ListTokenKeys", "ListBackendInstances", "ListCallers"];

    /// <summary>What there is, thousands of times: every row is a copy of a real one, but for what must be its own. As it stands on disk, so without triggers.</summary>
    private static readonly string Fill = string.Join('\n',
    [
        "set session_replication_role = replica;",
        // Behind the ids of what is real.
        "create function pg_temp.id(kind text, n bigint) returns uuid language sql immutable as $$ select ('f' || substr(md5(kind || n), 2))::uuid $$;",
        Copies("organizations", "'name', 'o' || n"),
        Copies("applications", "'name', 'a' || n, 'organization_id', pg_temp.id('organizations', n / 2)"),
        Copies("backends", "'name', 'b' || n"),
        Copies("plans", "'name', 'p' || n"),
        Copies("plan_revisions", "'plan_id', pg_temp.id('plans', n)", key: null),
        Copies("plan_revisions", "'revision', n + 100", key: null),
        Copies("apis", "'name', 'i' || n"),
        Copies("api_versions", "'api_id', case when n % 20 > 0 then pg_temp.id('apis', n) else (row_ ->> 'api_id')::uuid end, 'version', 'v' || n, 'base_path', '/n' || n"),
        Copies("api_revisions", "'version_id', pg_temp.id('api_versions', n)", key: null),
        Copies("api_revisions", "'revision', n + 100", key: null),
        Copies("api_operations", "'version_id', pg_temp.id('api_versions', n)", key: null),
        Copies("subscriptions", "'application_id', pg_temp.id('applications', n), 'version_id', pg_temp.id('api_versions', n), 'plan_id', pg_temp.id('plans', n), 'state', case when n % 2000 = 0 then 'pending' when n % 2 = 0 then 'cancelled' else 'active' end"),
        Copies("credentials", "'application_id', pg_temp.id('applications', n), 'hash', '\\x' || encode(sha256(n::text::bytea), 'hex')"),
        Copies("access_tokens", "'hash', '\\x' || encode(sha256(n::text::bytea), 'hex'), 'organization_id', null, 'roles', '[\"auditor\"]'::jsonb"),
        Copies("accounts", "'name', 'n' || n"),
        Copies("changesets", "'actor', 'somebody'"),
        Copies("webhooks", "'url', 'https://partner.example/' || n"),
        Copies("outbox", "'position', n + 1000000"),
        Copies("config_revisions", "'revision', n + 1000000", key: null),
        "insert into webhook_deliveries (webhook_id, event_id, position, subject, state, next_attempt_at)",
        "select @webhook, id, position, subject, case when position % 1000 = 0 then 'pending' when position % 1000 = 1 then 'dead' else 'delivered' end, now() from outbox on conflict do nothing;",
        // The audit grew for long: first what nobody did to backends, then the rest.
        Copies("audit", "'sequence', n + 1000, 'at', timestamptz '2020-01-01Z' + n * interval '1 minute', 'kind', case when n < 30 then 'backend' else 'plan' end, 'id', 'audited-' || n, 'actor', 'account:busy'", key: null),
        "update audit set at = timestamptz '2019-01-01Z' + sequence * interval '1 minute' where sequence <= 1000;",
        "set session_replication_role = origin;",
        "analyze;",
    ]);

    private static string Copies(string table, string own, string? key = "id") =>
        $"""
        insert into {table} overriding system value
        select (jsonb_populate_record(null::{table}, row_ || jsonb_build_object({(key is null ? "" : $"'{key}', pg_temp.id('{table}', n), ")}{own}))).*
        from (select * from {table} limit 1) r, to_jsonb(r) row_, generate_series(1, {Rows}) n on conflict do nothing;
        """;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_list_of_the_admin_API_is_read_by_index_only()
    {
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync() + $";Options={TellPlans}", settings:
            [("Logging:LogLevel:Npgsql", "Debug"), ("OpenPlatform:Jobs:Enabled", "false"), ("OpenPlatform:Webhooks:PollInterval", "00:01:00")]); // nobody else asks anything
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        var parts = new Parts(admin);
        var subscription = await admin.CreateAsync("subscriptions", await parts.BodyAsync("subscriptions"));
        await admin.CreateAsync("credentials", new { applicationId = subscription["applicationId"]!.GetValue<string>() });
        await admin.CreateAsync("webhooks", new { url = "https://partner.example/hook" });
        var document = JsonNode.Parse(await admin.GetStringAsync("/openapi/v1.json", TestContext.Current.CancellationToken))!;
        var lists = document["paths"]!.AsObject()
            .Select(static path => (Path: path.Key, Name: path.Value!["get"]?["operationId"]?.GetValue<string>() ?? ""))
            .Where(static get => get.Name.StartsWith("List", StringComparison.Ordinal))
            .ToList();
        Assert.True(lists.Count > 10, string.Join(' ', lists));

        var whole = new List<string>();
        foreach (var (path, name) in lists)
        {
            var before = catalog.Logs.Count;
            using var response = await admin.GetAsync(await admin.FillAsync(path), TestContext.Current.CancellationToken);
            Assert.True(response.StatusCode == HttpStatusCode.OK, $"{path}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)}");
            var told = catalog.Logs.Since(before);
            Assert.True(told.Contains("Query Text", StringComparison.Ordinal), $"{name} asked nothing: {told}");
            whole.AddRange(from plan in told.Split("Received notice: ")[1..]
                           from scan in SequentialScan().Matches(plan)
                           where !ReadWhole.Contains(scan.Groups["table"].Value)
                           select $"{name} reads {scan.Groups["table"].Value} whole: {plan.Split("Debug: ")[0].Split("Information: ")[0]}");
        }

        Assert.True(whole.Count == 0, string.Join("\n\n", whole));
    }

    /// <summary>
    /// Thousands of rows are in each table; what is asked for is a page of one, a few or none of them: by each parameter of each list and each two of them, from the
    /// start and from the middle, by an operator and by a developer.
    /// </summary>
    [Fact]
    public async Task Whatever_is_asked_of_a_list_no_more_is_read_than_is_answered()
    {
        var database = await postgres.CreateDatabaseAsync();
        await using var catalog = new CatalogServer(database + $";Options={TellReads}", settings:
            [("Logging:LogLevel:Npgsql", "Debug"), ("OpenPlatform:Jobs:Enabled", "false"), ("OpenPlatform:Webhooks:PollInterval", "00:01:00")]);
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        var subscription = await admin.CreateAsync("subscriptions", await new Parts(admin).BodyAsync("subscriptions"));
        var application = subscription["applicationId"]!.GetValue<string>();
        await admin.CreateAsync("credentials", new { applicationId = application });
        var webhook = (await admin.CreateAsync("webhooks", new { url = "https://partner.example/hook" })).Id();
        await admin.CreateAsync("accounts", new { name = "somebody", password = "a-password-that-is-long-enough", roles = (string[])["auditor"] });
        await admin.CreateAsync("changesets", JsonNode.Parse("""{"puts":{"backends":[{"name":"put","service":"put"}]}}""")!);
        var organization = JsonNode.Parse(await admin.GetStringAsync($"/admin/v1/applications/{application}", Stop))!["organizationId"]!.GetValue<string>();
        var token = await admin.CreateAsync("tokens", new { name = "partner", roles = (string[])["developer"], organizationId = organization });
        using var developer = catalog.Anonymous();
        developer.DefaultRequestHeaders.Authorization = new("Bearer", token["token"]!.GetValue<string>());
        await using var connection = new NpgsqlConnection(database);
        await connection.ExecuteAsync(Fill, new { webhook = Guid.Parse(webhook) }, commandTimeout: 120);
        var at = await connection.QuerySingleAsync<DateTime>("select at from audit where sequence = 2000");

        var values = new Dictionary<string, string[]>(StringComparer.Ordinal)
        {
            ["organization"] = [organization], ["application"] = [application], ["version"] = [subscription["versionId"]!.GetValue<string>()], ["plan"] = [subscription["planId"]!.GetValue<string>()],
            ["ListSubscriptions.state"] = ["pending", "active", "paused", "cancelled", "rejected"], ["ListDeliveries.state"] = ["pending", "delivered", "dead"],
            ["kind"] = ["organization", "backend", "nothing"], ["id"] = ["audited-7", "nothing"], ["actor"] = ["token:deployment", "nobody"],
            ["from"] = [at.ToString("O", CultureInfo.InvariantCulture), "2999-01-01T00:00:00Z"], ["to"] = [at.ToString("O", CultureInfo.InvariantCulture), "1999-01-01T00:00:00Z"],
        };
        var document = JsonNode.Parse(await admin.GetStringAsync("/openapi/v1.json", Stop))!;
        var (asked, paged, tooMuch) = (0, 0, new List<string>());
        foreach (var (path, get) in document["paths"]!.AsObject().Select(static path => (path.Key, path.Value!["get"])))
        {
            var name = get?["operationId"]?.GetValue<string>() ?? "";
            if (!name.StartsWith("List", StringComparison.Ordinal) || AnsweredWhole.Contains(name))
            {
                continue;
            }

            var filters = get!["parameters"]!.AsArray().Where(static parameter => parameter!["in"]!.GetValue<string>() == "query").Select(static parameter => parameter!["name"]!.GetValue<string>()).ToList();
            Assert.Contains("cursor", filters);
            Assert.Contains("limit", filters);
            var choices = filters.Except(["cursor", "limit"]).Select(filter => (values.GetValueOrDefault($"{name}.{filter}") ?? values.GetValueOrDefault(filter) ?? throw new KeyNotFoundException($"{name} has a new parameter: {filter}"))
                .Select(value => $"&{filter}={Uri.EscapeDataString(value)}").ToArray()).ToList();
            var questions = choices.SelectMany(static one => one)
                .Concat(choices.SelectMany((one, i) => choices.Skip(i + 1).SelectMany(other => one.SelectMany(a => other.Select(b => a + b)))))
                .Prepend("").ToList();
            var list = await admin.FillAsync(path);
            foreach (var question in questions)
            {
                await AskAsync(admin, name, $"{list}?limit={Limit}{question}");
                await AskAsync(developer, name + " of a developer", $"{list}?limit={Limit}{question}");
            }
        }

        Assert.True(tooMuch.Count == 0, string.Join("\n\n", tooMuch));
        Assert.True(asked > 120 && paged > 120, $"{asked} questions, {paged} more pages");

        // Eight pages: where each page is found by leaving out those before it, that shows by then.
        async Task AskAsync(HttpClient who, string name, string first)
        {
            var next = first;
            for (var page = 0; page < 8 && next is not null; page++)
            {
                var before = catalog.Logs.Count;
                using var response = await who.GetAsync(next, Stop);
                if (response.StatusCode is HttpStatusCode.Forbidden or HttpStatusCode.NotFound && who == developer)
                {
                    return;
                }

                Assert.True(response.StatusCode == HttpStatusCode.OK, $"{next}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync(Stop)}");
                (asked, paged) = page == 0 ? (asked + 1, paged) : (asked, paged + 1);
                foreach (var plan in catalog.Logs.Since(before).Split("Received notice: ")[1..].Select(static notice => notice.Split("\nDebug: ")[0].Split("\nInformation: ")[0]))
                {
                    var most = Read(plan);
                    if (most > MostRead)
                    {
                        tooMuch.Add($"{name} {next} reads {most} rows: {plan}");
                    }
                }

                next = response.Headers.TryGetValues("Link", out var links) ? links.Single()[1..].Split('>')[0] : null;
            }
        }
    }

    /// <summary>Most rows that any scan of a plan read, with those that it threw away.</summary>
    private static double Read(string plan)
    {
        var (most, rows, loops) = (0d, 0d, 0d);
        foreach (var line in plan.Split('\n'))
        {
            if (Actual().Match(line) is { Success: true } actual)
            {
                loops = double.Parse(actual.Groups["loops"].Value, CultureInfo.InvariantCulture);
                rows = line.Contains(" Scan ", StringComparison.Ordinal) ? double.Parse(actual.Groups["rows"].Value, CultureInfo.InvariantCulture) * loops : 0;
            }
            else if (Removed().Match(line) is { Success: true } removed)
            {
                rows += double.Parse(removed.Groups["rows"].Value, CultureInfo.InvariantCulture) * loops;
            }

            most = Math.Max(most, rows);
        }

        return most;
    }

    [GeneratedRegex(@"\(actual rows=(?<rows>[0-9.]+) loops=(?<loops>\d+)\)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Actual();

    [GeneratedRegex(@"Rows Removed by [A-Za-z ]+: (?<rows>[0-9.]+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Removed();

    [GeneratedRegex(@"Seq Scan on (?<table>\w+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex SequentialScan();
}
