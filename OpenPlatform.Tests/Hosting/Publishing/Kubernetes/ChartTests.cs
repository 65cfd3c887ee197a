using System.Text.Json.Nodes;
using OpenPlatform.Tests.Gateway.Protocols;

namespace OpenPlatform.Tests.Hosting.Publishing.Kubernetes;

/// <summary>The chart and the plain manifests are two ways to write the same objects.</summary>
public sealed class ChartTests
{
    public static TheoryData<string> Options => Variants.All;

    [Theory]
    [MemberData(nameof(Options))]
    public async Task The_chart_renders_the_same_objects_as_the_plain_manifests(string variant)
    {
        var published = await Variants.AppHostAsync(variant);
        AssertSame(published.Base(), Render(published));
    }

    [Fact]
    public async Task One_value_hosts_Postgres_and_Redis_as_the_option_of_the_AppHost_does()
    {
        // Published for one way of hosting, installed another: the chart has all of them.
        var usual = await Variants.AppHostAsync("");
        AssertSame((await Variants.AppHostAsync("--Kubernetes:Postgres=CloudNativePg")).Base(), Render(usual, new() { ["postgres"] = new JsonObject { ["mode"] = "cloudnative-pg" } }));
        AssertSame((await Variants.AppHostAsync("--Kubernetes:Postgres=Managed")).Base(), Render(usual, new() { ["postgres"] = new JsonObject { ["mode"] = "managed" } }));
        AssertSame((await Variants.AppHostAsync("--Kubernetes:Redis=Managed")).Base(), Render(usual, new() { ["redis"] = new JsonObject { ["mode"] = "managed" } }));
        AssertSame((await Variants.AppHostAsync("--Kubernetes:StorageClass=fast")).Base(), Render(usual, new() { ["storageClass"] = "fast" }));
        AssertSame((await Variants.AppHostAsync("--Kubernetes:Ingress=HttpRoute")).Base(), Render(usual, new() { ["ingress"] = new JsonObject { ["kind"] = "httproute" } }));
    }

    [Fact]
    public async Task A_changed_variable_replaces_the_pods()
    {
        var published = await Variants.AppHostAsync("");
        var changed = Render(published, new() { ["gateway"] = new JsonObject { ["env"] = new JsonObject { ["OpenPlatform__Gateway__Forwarding__Retries"] = "1" } } });

        string Checksum(IEnumerable<Manifest> objects) => objects.Single(o => o.Id == "StatefulSet/gateway").Text("spec", "template", "metadata", "annotations", "checksum/config");
        Assert.NotEqual(Checksum(published.Base()), Checksum(changed));
        Assert.Equal("1", changed.Single(o => o.Id == "ConfigMap/gateway-config").Text("data", "OpenPlatform__Gateway__Forwarding__Retries"));
    }

    [Fact]
    public async Task Every_value_has_a_schema_of_its_type_and_the_other_way_round()
    {
        var published = await Variants.AppHostAsync("");
        var schema = JsonNode.Parse(published.Files["chart/values.schema.json"])!.AsObject();
        AssertDescribed("", Values(published), schema);
        foreach (var environment in new[] { "dev", "staging", "production" })
        {
            AssertFits(environment, Manifest.Documents(published.Files[$"chart/values-{environment}.yaml"]).Single()!, schema);
        }
    }

    [Fact]
    public async Task A_validator_of_JSON_Schema_takes_the_values_of_every_environment_and_refuses_mistakes()
    {
        NodePeers.Require("npm");
        var folder = Directory.CreateTempSubdirectory("values-");
        try
        {
            await PeerTests.RunAsync("npm", "install", "--prefix", folder.FullName, "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error", "ajv@8.20.0");
            var published = await Variants.AppHostAsync("");
            var values = Values(published);
            JsonObject With(string json) => ChartRenderer.Merge(values, JsonNode.Parse(json)!.AsObject());
            JsonObject[] right = [values, .. new[] { "dev", "staging", "production" }.Select(e => ChartRenderer.Merge(values, Manifest.Documents(published.Files[$"chart/values-{e}.yaml"]).Single()!.AsObject())), With("""{"storageClass":"fast"}""")];
            JsonObject[] wrong =
            [
                With("""{"gateway":{"replica":2}}"""), With("""{"gateway":{"autoscaling":{"min":"3"}}}"""), With("""{"gateway":{"autoscaling":{"cpuPercent":101}}}"""),
                With("""{"postgres":{"mode":"oracle"}}"""), With("""{"postgres":{"data":{"size":"10GB"}}}"""), With("""{"gateway":{"env":{"PORT":1}}}"""), With("""{"ingress":{"kind":"route"}}"""),
            ];
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "schema.json"), published.Files["chart/values.schema.json"]);
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "values.json"), new JsonArray([.. right.Concat(wrong).Select(v => v.DeepClone())]).ToJsonString());
            var script = Path.Combine(folder.FullName, "validate.js");
            await File.WriteAllTextAsync(script, """
                const read = file => JSON.parse(require('fs').readFileSync(__dirname + '/' + file, 'utf8'));
                const validate = new (require('ajv'))().compile(read('schema.json'));
                console.log(read('values.json').map(v => validate(v)).join(' '));
                """);
            var answers = (await PeerTests.RunAsync("node", script)).Trim().Split(' ');
            Assert.Equal([.. right.Select(_ => "true"), .. wrong.Select(_ => "false")], answers);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task The_chart_names_itself_and_its_notes_name_every_secret()
    {
        var published = await Variants.AppHostAsync("");
        var chart = Manifest.Documents(published.Files["chart/Chart.yaml"]).Single()!;
        Assert.Equal(("v2", "openplatform"), ((string?)chart["apiVersion"], (string?)chart["name"]));
        Assert.Matches(@"^\d+\.\d+\.\d+", (string?)chart["version"]);

        var notes = new ChartRenderer(Values(published), "shop").Render(published.Files["chart/templates/NOTES.txt"]);
        Assert.All(published.Model.Secrets, secret => Assert.Contains(secret.Name, notes, StringComparison.Ordinal));
        Assert.Contains("namespace shop", notes, StringComparison.Ordinal);

        Assert.DoesNotContain("postgres-backup", notes, StringComparison.Ordinal);
        var operated = ChartRenderer.Merge(Values(published), new() { ["postgres"] = new JsonObject { ["mode"] = "cloudnative-pg" } });
        Assert.Contains("Secret postgres-backup", new ChartRenderer(operated, "shop").Render(published.Files["chart/templates/NOTES.txt"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ .Values.nothing }}")]
    [InlineData("{{ include \"x\" . }}")]
    [InlineData("{{- if .Values.a }}")]
    [InlineData("{{- end }}")]
    [InlineData("{{ .Values.a | upper }}")]
    public void The_renderer_of_these_tests_refuses_what_it_does_not_know(string template) =>
        Assert.ThrowsAny<Exception>(() => new ChartRenderer(new JsonObject { ["a"] = true }, "n").Render(template));

    internal static JsonObject Values(Published published) => Manifest.Documents(published.Files["chart/values.yaml"]).Single()!.AsObject();

    internal static IReadOnlyList<Manifest> Render(Published published, JsonObject? changes = null)
    {
        var renderer = new ChartRenderer(ChartRenderer.Merge(Values(published), changes ?? []), "default");
        return [.. published.Files.Where(f => f.Key.StartsWith("chart/templates/", StringComparison.Ordinal) && f.Key.EndsWith(".yaml", StringComparison.Ordinal))
            .SelectMany(f => Manifest.Read(renderer.Render(f.Value)))];
    }

    /// <summary>The same objects, but for annotations that only Helm reads, and the name of a Job, which is of its content as published: Helm replaces a Job of the same name.</summary>
    internal static void AssertSame(IEnumerable<Manifest> expected, IEnumerable<Manifest> actual)
    {
        var (left, right) = (ById(expected), ById(actual));
        Assert.Equal(left.Keys, right.Keys);
        Assert.All(left, pair => Assert.True(JsonNode.DeepEquals(pair.Value, right[pair.Key]), $"{pair.Key}\n{pair.Value}\n{right[pair.Key]}"));
    }

    private static SortedDictionary<string, JsonNode> ById(IEnumerable<Manifest> objects) => new(objects.ToDictionary(o => o.Kind == "Job" ? $"Job/{o.Text("metadata", "labels", "app.kubernetes.io/name")}" : o.Id, o =>
    {
        var node = o.Json.DeepClone();
        if (o.Kind == "Job")
        {
            node["metadata"]!.AsObject().Remove("name");
        }

        if (Manifest.In(node, "metadata", "annotations") is JsonObject annotations)
        {
            foreach (var helm in annotations.Select(a => a.Key).Where(k => k.StartsWith("helm.sh/", StringComparison.Ordinal)).ToArray())
            {
                annotations.Remove(helm);
            }

            if (annotations.Count == 0)
            {
                node["metadata"]!.AsObject().Remove("annotations");
            }
        }

        return node;
    }), StringComparer.Ordinal);

    private static void AssertDescribed(string path, JsonNode value, JsonObject schema)
    {
        var type = value switch { JsonObject => "object", JsonArray => "array", _ => value.GetValueKind() switch { System.Text.Json.JsonValueKind.Number => "integer", System.Text.Json.JsonValueKind.String => "string", _ => "boolean" } };
        Assert.True((string?)schema["type"] == type, $"{path}: the schema says {schema["type"]}, values.yaml has {type}.");
        if (value is JsonObject map && schema["properties"] is JsonObject properties)
        {
            Assert.False(schema["additionalProperties"]!.GetValue<bool>());
            Assert.Equal(properties.Select(p => p.Key).Where(k => k != "global").Order(), map.Select(e => e.Key).Order());
            foreach (var (key, inner) in map)
            {
                AssertDescribed($"{path}.{key}", inner!, properties[key]!.AsObject());
            }
        }
    }

    private static void AssertFits(string path, JsonNode value, JsonObject schema)
    {
        foreach (var (key, inner) in value.AsObject())
        {
            var described = schema["properties"]?[key]?.AsObject();
            Assert.True(described is not null, $"{path}.{key} is no value of the chart.");
            if (inner is JsonObject)
            {
                AssertFits($"{path}.{key}", inner, described);
            }
        }
    }
}
