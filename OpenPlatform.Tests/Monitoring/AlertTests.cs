using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using OpenPlatform.Tests.Architecture;
using OpenPlatform.Tests.Fixtures;
using YamlDotNet.RepresentationModel;

namespace OpenPlatform.Tests.Monitoring;

/// <summary>The alert rules and the dashboard that are published with the platform.</summary>
[Collection(Beside.Name)]
public sealed partial class AlertTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "OpenPlatform.AppHost", "Monitoring");

    /// <summary>Refusals with a 5xx that somebody wanted: they burn no budget.</summary>
    private static readonly string[] OnPurpose = ["version-blocked", "backend-switched-off", "too-many-at-once", "overloaded"];

    [Fact]
    public async Task Every_rule_is_valid_and_speaks_and_is_silent_as_its_test_says()
    {
        Assert.SkipWhen(!File.Exists("/usr/bin/promtool") && Environment.GetEnvironmentVariable("CI") != "true", "Needs promtool (Debian package prometheus).");
        await PromtoolAsync("check", "rules", "alerts.yaml");
        await PromtoolAsync("test", "rules", "alerts.test.yaml");
        await PromtoolAsync("test", "rules", "alerts.days.test.yaml");
    }

    [Fact]
    public void Every_alert_is_tested_both_ways_but_where_one_window_is_enough()
    {
        var alerts = Rules("alert").ToArray();
        var tests = new[] { "alerts.test.yaml", "alerts.days.test.yaml" }.SelectMany(static file => ((YamlSequenceNode)Read(file).Children["tests"]).Children);
        var checks = tests.SelectMany(t => ((YamlSequenceNode)t["alert_rule_test"]).Children).Cast<YamlMappingNode>()
            .Select(c => (Name: c.Children["alertname"].ToString(), Speaks: c.Children.ContainsKey("exp_alerts"))).ToArray();

        Assert.Equal(alerts.Order(), checks.Where(c => c.Speaks).Select(c => c.Name).Distinct().Order());
        // The slow windows share their expression with the fast ones.
        Assert.Empty(alerts.Except(checks.Where(c => !c.Speaks).Select(c => c.Name)).Except(["GatewayUnavailableSlow", "GatewaySlowSlow"]));
    }

    [Fact]
    public void Rules_and_dashboard_use_documented_metrics_only()
    {
        var known = Documented().Concat(Rules("record")).ToHashSet(StringComparer.Ordinal);
        var dashboard = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "dashboard.json")))!;
        var panels = dashboard["panels"]!.AsArray();
        var expressions = panels.SelectMany(p => p!["targets"]!.AsArray()).Select(t => (string)t!["expr"]!)
            .Concat(Rules("expr")).Append(File.ReadAllText(Path.Combine(Folder, "prometheus-adapter.yaml")));

        Assert.All(expressions, expression => Assert.All(Metric().Matches(expression).Select(m => m.Value).Where(m => !IsLabel(m)), metric => Assert.Contains(metric, known)));
        Assert.Equal(panels.Count, panels.Select(p => (int)p!["id"]!).Distinct().Count());
    }

    [Fact]
    public void Every_failure_of_the_platform_burns_the_budget_and_nothing_else_does()
    {
        var errors = Repository.Table("docs/errors.md", File.ReadLines(Path.Combine(Repository.Root, "docs", "errors.md")).First(l => l.StartsWith('|')))
            .Where(row => row[1].StartsWith('5')).Select(row => row[0].Trim('`').Split(':')[^1]);
        var counted = Rules("expr").Select(e => Refusals().Match(e)).First(m => m.Success).Groups["names"].Value.Split('|');
        Assert.Equal(errors.Except(OnPurpose).Order(), counted.Order());
    }

    [Theory]
    [InlineData("http_server_request_duration_seconds_bucket", true)]
    [InlineData("openplatform_gateway_limits_local_ratio", true)]
    [InlineData("openplatform_gateway_limits_local", false)]
    [InlineData("openplatform_gateway_refusals", false)]
    public void Names_are_those_that_a_metric_has_in_Prometheus(string name, bool exists) => Assert.Equal(exists, Documented().Contains(name));

    /// <summary>The tables of docs/metrics.md, and what it names of OpenTelemetry's conventions, in Prometheus' spelling.</summary>
    private static IEnumerable<string> Documented()
    {
        var own = new[] { "| Instrument | Kind | Unit | Meaning |", "| Instrument of the catalog | Kind | Unit | Meaning |" }.SelectMany(header => Repository.Table("docs/metrics.md", header)).ToArray();
        string[][] conventions = [["`http.server.request.duration`", "Histogram", "`s`"], ["`http.client.request.duration`", "Histogram", "`s`"], ["`http.server.active_requests`", "UpDownCounter", "`{request}`"]];
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "metrics.md"));
        Assert.All(conventions, c => Assert.Contains(c[0], text, StringComparison.Ordinal));
        foreach (var row in own.Concat(conventions))
        {
            var (kind, unit) = (row[1], row[2].Trim('`'));
            var name = row[0].Trim('`').Replace('.', '_') + (unit == "s" ? "_seconds" : unit == "1" && kind.EndsWith("Gauge", StringComparison.Ordinal) ? "_ratio" : "");
            foreach (var suffix in kind switch { "Histogram" => new[] { "_bucket", "_sum", "_count" }, "Counter" or "ObservableCounter" => ["_total"], _ => [""] })
            {
                yield return name + suffix;
            }
        }
    }

    private static bool IsLabel(string name) => name is "openplatform_refusal" or "openplatform_state" or "openplatform_job" or "openplatform_succeeded" or "openplatform_degraded" or "openplatform_accepted" or "http_response_status_code";

    private static IEnumerable<string> Rules(string field) => ((YamlSequenceNode)Read("alerts.yaml").Children["groups"]).Children
        .SelectMany(g => ((YamlSequenceNode)g["rules"]).Children).Cast<YamlMappingNode>().Where(r => r.Children.ContainsKey(field)).Select(r => r.Children[field].ToString());

    private static YamlMappingNode Read(string file)
    {
        var stream = new YamlStream();
        using var text = File.OpenText(Path.Combine(Folder, file));
        stream.Load(text);
        return (YamlMappingNode)stream.Documents[0].RootNode;
    }

    private static async Task PromtoolAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("promtool", arguments) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, output + await errors);
    }

    [GeneratedRegex(@"\b(openplatform|http|gateway)[_:][a-z0-9_:]+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Metric();

    [GeneratedRegex("openplatform_refusal=~\"(?<names>[^\"]+)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Refusals();
}
