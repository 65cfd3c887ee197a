using System.Globalization;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace OpenPlatform.Bench.Simulate;

/// <summary>Reads how services scale out of the files that the AppHost publishes, so that what is simulated is what is shipped.</summary>
internal static partial class ShippedSettings
{
    /// <summary>Azure Container Apps lets nobody choose: KEDA's defaults (learn.microsoft.com/azure/container-apps/scale-app, "Scale behavior").</summary>
    private static readonly ScalingBehavior AzureUp = new(0, ChooseMost: true, [new(false, 4, 15), new(true, 100, 15)]), AzureDown = new(300, ChooseMost: true, [new(true, 100, 15)]);

    /// <param name="manifests">Text of a file with the service's workload and its HorizontalPodAutoscaler.</param>
    public static ScalingSettings OfKubernetes(string manifests)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(manifests));
        var objects = stream.Documents.Select(static d => (YamlMappingNode)d.RootNode).ToArray();
        var scaler = objects.Single(static o => Text(o, "kind") == "HorizontalPodAutoscaler");
        var kind = Text(scaler, "spec", "scaleTargetRef", "kind");
        var container = List(objects.Single(o => Text(o, "kind") == kind), "spec", "template", "spec", "containers")[0];
        int? cpu = null;
        double? inFlight = null;
        foreach (var metric in List(scaler, "spec", "metrics"))
        {
            switch (Text(metric, "type"))
            {
                case "Resource":
                    cpu = Number(Text(metric, "resource", "target", "averageUtilization"));
                    break;
                case "Pods":
                    inFlight = Number(Text(metric, "pods", "target", "averageValue"));
                    break;
                case var other:
                    throw new FormatException($"A metric of type {other} is not simulated.");
            }
        }

        return new(Number(Text(scaler, "spec", "minReplicas")), Number(Text(scaler, "spec", "maxReplicas")), Cores(Text(container, "resources", "requests", "cpu")),
            cpu, inFlight, null, Behavior(scaler, "scaleUp"), Behavior(scaler, "scaleDown"), ReplacesLost: kind != "StatefulSet");
    }

    /// <param name="bicep">Of a container app.</param>
    /// <remarks>What Azure calls concurrent requests is how many came in 15 seconds, divided by 15: requests a second.</remarks>
    public static ScalingSettings OfAzure(string bicep)
    {
        var scale = bicep[bicep.LastIndexOf("scale: {", StringComparison.Ordinal)..];
        var rate = Concurrent().Match(scale);
        var cpu = CpuRule().Match(scale);
        return new(Number(Value(MinReplicas(), scale)), Number(Value(MaxReplicas(), scale)), double.Parse(AppCores().Matches(bicep)[^1].Groups["value"].Value, CultureInfo.InvariantCulture),
            cpu.Success ? Number(cpu.Groups["value"].Value) : null, null, rate.Success ? Number(rate.Groups["value"].Value) : null, AzureUp, AzureDown);
    }

    private static ScalingBehavior Behavior(YamlNode scaler, string direction) => new(
        Number(Text(scaler, "spec", "behavior", direction, "stabilizationWindowSeconds")),
        Text(scaler, "spec", "behavior", direction, "selectPolicy") switch { "Max" => true, "Min" => false, var other => throw new FormatException($"selectPolicy {other} is not simulated.") },
        [.. List(scaler, "spec", "behavior", direction, "policies").Select(static p => new ScalingPolicy(Text(p, "type") == "Percent", Number(Text(p, "value")), Number(Text(p, "periodSeconds"))))]);

    private static YamlNode At(YamlNode node, params string[] path) => path.Aggregate(node, static (at, name) =>
        at is YamlMappingNode map && map.Children.TryGetValue(name, out var child) ? child : throw new FormatException($"The published file has no '{name}' where it is expected."));

    private static string Text(YamlNode node, params string[] path) => ((YamlScalarNode)At(node, path)).Value!;

    private static IList<YamlNode> List(YamlNode node, params string[] path) => ((YamlSequenceNode)At(node, path)).Children;

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static double Cores(string quantity) => quantity.EndsWith('m') ? Number(quantity[..^1]) / 1000d : double.Parse(quantity, CultureInfo.InvariantCulture);

    private static string Value(Regex pattern, string text) => pattern.Match(text) is { Success: true } match ? match.Groups["value"].Value : throw new FormatException($"The published file has nothing like {pattern}.");

    [GeneratedRegex(@"minReplicas: (?<value>\d+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex MinReplicas();

    [GeneratedRegex(@"maxReplicas: (?<value>\d+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex MaxReplicas();

    [GeneratedRegex(@"concurrentRequests: '(?<value>\d+)'", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Concurrent();

    [GeneratedRegex(@"type: 'cpu'\s+metadata: \{\s+type: 'Utilization'\s+value: '(?<value>\d+)'", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex CpuRule();

    [GeneratedRegex(@"cpu: json\('(?<value>[0-9.]+)'\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex AppCores();
}
