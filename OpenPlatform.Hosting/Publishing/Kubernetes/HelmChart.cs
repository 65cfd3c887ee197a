using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Kubernetes;

/// <summary>The chart: templates of the same objects, every value with its default, its meaning and its schema.</summary>
internal sealed class HelmChart(DeploymentModel model, KubernetesOptions options, IReadOnlyList<(string Name, YamlNode[] Documents)> files, IReadOnlyList<string> secrets)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public IEnumerable<DeploymentFile> Write()
    {
        yield return new("chart/Chart.yaml", YamlWriter.Write(new YamlMap
        {
            ["apiVersion"] = "v2",
            ["name"] = model.Name,
            ["description"] = $"{model.Name} with its gateway, services, databases and network policies.",
            ["type"] = "application",
            ["version"] = model.Version,
            ["appVersion"] = model.Version,
            ["kubeVersion"] = ">=1.30.0-0",
        }));

        var values = new YamlMap();
        var properties = new JsonObject { ["global"] = new JsonObject { ["type"] = "object" } };
        foreach (var value in files.SelectMany(f => f.Documents).SelectMany(Chart.Values).DistinctBy(v => v.Path))
        {
            Put(values, value.Path, value.Default, value.About);
            Describe(properties, value);
        }

        yield return new("chart/values.yaml", YamlWriter.Write(values));
        var schema = new JsonObject { ["$schema"] = "http://json-schema.org/draft-07/schema#", ["type"] = "object", ["additionalProperties"] = false, ["properties"] = properties };
        yield return new("chart/values.schema.json", JsonSerializer.Serialize(schema, Indented) + "\n");
        var overlays = new Overlays(model, options);
        foreach (var environment in Overlays.Names)
        {
            yield return new($"chart/values-{environment}.yaml", YamlWriter.Write(overlays.Values(environment)));
        }

        yield return new("chart/.helmignore", ".published\nvalues-*.yaml\n");
        foreach (var (name, documents) in files)
        {
            yield return new($"chart/templates/{name}.yaml", ChartWriter.Write(documents));
        }

        yield return new("chart/templates/NOTES.txt", Notes());
    }

    /// <summary>Puts a value where its path says.</summary>
    internal static void Put(YamlMap values, string path, YamlNode? value, string? about = null)
    {
        var names = path.Split('.');
        foreach (var name in names[..^1])
        {
            if (values[name] is not YamlMap inner)
            {
                values[name] = inner = [];
            }

            values = inner;
        }

        values[names[^1]] = value;
        if (about is not null)
        {
            values.Comments[names[^1]] = about;
        }
    }

    private static void Describe(JsonObject properties, ChartValue value)
    {
        var names = value.Path.Split('.');
        foreach (var name in names[..^1])
        {
            if (properties[name] is not JsonObject level)
            {
                properties[name] = level = new JsonObject { ["type"] = "object", ["additionalProperties"] = false, ["properties"] = new JsonObject() };
            }

            properties = level["properties"]!.AsObject();
        }

        var schema = new JsonObject();
        if (value.About is { } about)
        {
            schema["description"] = about;
        }

        schema["type"] = value.Default switch
        {
            YamlMap => "object",
            YamlList => "array",
            YamlScalar { Value: int } => "integer",
            YamlScalar { Value: bool } => "boolean",
            _ => "string",
        };
        if (value.Default is YamlMap map && map.All(e => e.Value is YamlScalar { Value: string }))
        {
            // Variables and annotations are texts; a bare number would be refused by the cluster much later.
            schema["additionalProperties"] = new JsonObject { ["type"] = "string" };
        }

        foreach (var (rule, node) in value.Rules ?? [])
        {
            schema[rule] = Json(node);
        }

        properties[names[^1]] = schema;
    }

    private static JsonNode? Json(YamlNode node) => node switch
    {
        YamlScalar { Value: int number } => number,
        YamlScalar { Value: bool flag } => flag,
        YamlScalar scalar => (string)scalar.Value,
        YamlList list => new JsonArray([.. list.Select(Json)]),
        _ => throw new NotSupportedException(node.GetType().Name),
    };

    private string Notes() => $"""
        {model.Name} {model.Version} in namespace {"{{ .Release.Namespace }}"}.

        It needs the Secret {"{{ .Values.secretName }}"} with these keys, which no chart holds:
          {string.Join("\n  ", secrets)}
        The README beside the chart has the command that makes it.{StoreNote()}

        One release a namespace: the objects have fixed names.
        Watch the rollout:
          kubectl --namespace {"{{ .Release.Namespace }}"} get pods --watch
        """.ReplaceLineEndings("\n") + "\n";

    /// <summary>The Secret of the operator's backups, where one of the servers is the operator's.</summary>
    private string StoreNote() => string.Concat(model.Services.Where(s => s.Kind == ServiceKind.Postgres).Select(s =>
        $"\n{"{{- if eq"} .Values.{KubernetesValues.Key(s)}.mode \"cloudnative-pg\" {"}}"}\nAnd the Secret {Databases.StoreSecret} with ACCESS_KEY_ID and SECRET_ACCESS_KEY of the object store of the backups.\n{"{{- end }}"}"));
}
