using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace OpenPlatform.Tests.Hosting.Publishing;

/// <summary>A Kubernetes object as an independent YAML reader sees it.</summary>
internal sealed record Manifest(JsonObject Json)
{
    public string Kind => Text("kind");
    public string Name => Text("metadata", "name");
    public string Id => $"{Kind}/{Name}";

    public static IReadOnlyList<Manifest> Read(string yaml) => [.. Documents(yaml).OfType<JsonObject>().Select(o => new Manifest(o))];

    public static IEnumerable<JsonNode?> Documents(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return stream.Documents.Select(d => Convert(d.RootNode));
    }

    public JsonNode? At(params object[] path) => In(Json, path);

    public string Text(params object[] path) => At(path)?.GetValue<string>() ?? throw new InvalidOperationException($"{Json["kind"]} has no {string.Join('.', path)}");

    public static JsonNode? In(JsonNode? node, params object[] path)
    {
        foreach (var step in path)
        {
            node = step is int index ? (node as JsonArray)?.ElementAtOrDefault(index) : (node as JsonObject)?[(string)step];
        }

        return node;
    }

    public IEnumerable<JsonObject> Items(params object[] path) => (At(path) as JsonArray)?.OfType<JsonObject>() ?? [];

    /// <summary>The pod that it makes, of whatever kind it is; null: none.</summary>
    public JsonObject? PodTemplate => (Kind == "CronJob" ? At("spec", "jobTemplate", "spec", "template") : Kind is "Deployment" or "StatefulSet" or "Job" ? At("spec", "template") : null) as JsonObject;

    private static JsonNode? Convert(YamlNode node) => node switch
    {
        YamlMappingNode map => new JsonObject(map.Children.Select(c => KeyValuePair.Create(((YamlScalarNode)c.Key).Value!, Convert(c.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(Convert)]),
        YamlScalarNode { Style: ScalarStyle.Plain } plain => plain.Value switch
        {
            "" or null or "~" or "null" => null,
            "true" => true,
            "false" => false,
            var text when int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) => number,
            var text => text,
        },
        YamlScalarNode text => text.Value,
        _ => throw new NotSupportedException(node.GetType().Name),
    };
}
