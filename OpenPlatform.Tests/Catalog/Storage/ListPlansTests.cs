using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog.Storage;

/// <summary>Whatever list the admin API has, Postgres finds it by an index.</summary>
public sealed partial class ListPlansTests(SharedPostgres postgres)
{
    // Every statement tells its plan in a notice, which the driver logs. The tables are small here: without the last setting the planner
    // rightly reads them whole; what no index can answer stays a sequential scan.
    private const string TellPlans = "-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c auto_explain.log_level=notice -c enable_seqscan=off -c jit=off";

    /// <summary>Few rows, and all of them are what is asked for: one in all, one a job, one a gateway.</summary>
    private static readonly string[] ReadWhole = ["config_head", "job_leader", "jobs", "gateway_instances"];

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
            var before = catalog.Logs.All.Length;
            using var response = await admin.GetAsync(await admin.FillAsync(path), TestContext.Current.CancellationToken);
            Assert.True(response.StatusCode == HttpStatusCode.OK, $"{path}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)}");
            var told = catalog.Logs.All[before..];
            Assert.True(told.Contains("Query Text", StringComparison.Ordinal), $"{name} asked nothing: {told}");
            whole.AddRange(from plan in told.Split("Received notice: ")[1..]
                           from scan in SequentialScan().Matches(plan)
                           where !ReadWhole.Contains(scan.Groups["table"].Value)
                           select $"{name} reads {scan.Groups["table"].Value} whole: {plan.Split("Debug: ")[0].Split("Information: ")[0]}");
        }

        Assert.True(whole.Count == 0, string.Join("\n\n", whole));
    }

    [GeneratedRegex(@"Seq Scan on (?<table>\w+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex SequentialScan();
}
