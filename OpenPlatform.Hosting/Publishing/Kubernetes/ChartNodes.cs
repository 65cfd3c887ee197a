using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Kubernetes;

/// <summary>A value that who installs the chart may change. The plain manifests have its default.</summary>
/// <param name="path">Where it stands in values.yaml, such as <c>gateway.replicas</c>.</param>
/// <param name="value">The default; its type is the type.</param>
/// <param name="about">One line for values.yaml.</param>
/// <param name="rules">More JSON Schema than the type of the default, or null.</param>
internal sealed class ChartValue(string path, YamlNode value, string? about = null, YamlMap? rules = null) : YamlNode
{
    public string Path => path;
    public YamlNode Default => value;
    public string? About => about;
    public YamlMap? Rules => rules;
}

/// <summary>A switch of the chart: <c>.Values.path</c> is true or a text that is not empty, or is not (<paramref name="not"/>), or is this text.</summary>
internal sealed class ChartCondition(ChartValue value, string? equalTo = null, bool not = false)
{
    public ChartValue Value => value;
    public string Template => not ? $"not .Values.{value.Path}" : equalTo is null ? $".Values.{value.Path}" : $"eq .Values.{value.Path} \"{equalTo}\"";

    /// <summary>How it stands in the plain manifests.</summary>
    public bool Holds => not != ((value.Default as YamlScalar)?.Value is var given && (equalTo is null ? given is true or string { Length: > 0 } : equalTo.Equals(given)));
}

/// <summary>A document, an entry or an item (a list: several items) that is there under a condition.</summary>
internal sealed class ChartWhen(ChartCondition condition, YamlNode then, YamlNode? otherwise = null) : YamlNode
{
    public ChartCondition Condition => condition;
    public YamlNode Then => then;
    public YamlNode? Otherwise => otherwise;
}

/// <summary>A text that the chart computes; <paramref name="plain"/> is what comes out with the defaults, null where only the chart has it.</summary>
internal sealed class ChartText(string template, string? plain) : YamlNode
{
    public string Template => template;
    public string? Plain => plain;
}

internal static class Chart
{
    /// <summary>The tree with every default in place; null: nothing of it is there.</summary>
    public static YamlNode? Plain(YamlNode? node) => node switch
    {
        ChartValue value => Plain(value.Default),
        ChartText text => text.Plain,
        ChartWhen choice => Plain(choice.Condition.Holds ? choice.Then : choice.Otherwise),
        YamlMap map => Plain(map),
        YamlList list => YamlNode.List(list.SelectMany(Items)),
        _ => node,
    };

    /// <summary>Every value that the tree names, also where a default hides it.</summary>
    public static IEnumerable<ChartValue> Values(YamlNode? node) => node switch
    {
        ChartValue value => [value],
        ChartWhen choice => [choice.Condition.Value, .. Values(choice.Then), .. Values(choice.Otherwise)],
        YamlMap map => map.SelectMany(e => Values(e.Value)),
        YamlList list => list.SelectMany(Values),
        _ => [],
    };

    private static YamlMap Plain(YamlMap map)
    {
        var plain = new YamlMap();
        foreach (var (key, value) in map)
        {
            // A map of which nothing is left is not there, unless it was meant to be empty.
            plain[key] = Plain(value) is var kept && kept is YamlMap { Count: 0 } && value is YamlMap { Count: > 0 } ? null : kept;
        }

        return plain;
    }

    private static IEnumerable<YamlNode?> Items(YamlNode item)
    {
        var plain = Plain(item);
        return item is ChartWhen && plain is YamlList several ? several : [plain];
    }
}

/// <summary>Writes the same tree as a template of a Helm chart. What it uses of the template language is what the tests can render.</summary>
internal sealed class ChartWriter : YamlWriter
{
    public static string Write(IEnumerable<YamlNode> documents)
    {
        var writer = new ChartWriter();
        var first = true;
        foreach (var document in documents)
        {
            writer.Document(document, ref first);
        }

        return writer.ToString();
    }

    protected override string? Inline(YamlNode node) => node switch
    {
        ChartValue { Default: YamlScalar { Value: string } } value => $"{{{{ .Values.{value.Path} | quote }}}}",
        ChartValue { Default: YamlScalar } value => $"{{{{ .Values.{value.Path} }}}}",
        ChartText text => text.Template,
        // Braces of our own would be taken for the template's.
        _ => base.Inline(node)?.Replace("{{", "{{ \"{{\" }}", StringComparison.Ordinal),
    };

    protected override bool TryEntry(string key, YamlNode value, int indent, string lead)
    {
        switch (value)
        {
            case ChartValue { Default: YamlMap or YamlList } whole:
                Line(0, $"{lead}{Scalar(key)}:");
                Line(indent + 2, $"{{{{- toYaml .Values.{whole.Path} | nindent {indent + 2} }}}}");
                return true;
            case ChartWhen choice:
                if (lead.EndsWith("- ", StringComparison.Ordinal))
                {
                    throw new NotSupportedException($"The first key of an item, '{key}', must always be there.");
                }

                Line(indent, $"{{{{- if {choice.Condition.Template} }}}}");
                Entry(key, choice.Then, indent, lead);
                if (choice.Otherwise is { } otherwise)
                {
                    Line(indent, "{{- else }}");
                    Entry(key, otherwise, indent, lead);
                }

                Line(indent, "{{- end }}");
                return true;
            default:
                return false;
        }
    }

    protected override bool TryItem(YamlNode item, int indent)
    {
        if (item is not ChartWhen choice)
        {
            return false;
        }

        Line(indent, $"{{{{- if {choice.Condition.Template} }}}}");
        Items(choice.Then, indent);
        if (choice.Otherwise is { } otherwise)
        {
            Line(indent, "{{- else }}");
            Items(otherwise, indent);
        }

        Line(indent, "{{- end }}");
        return true;
    }

    private void Items(YamlNode node, int indent) => Node(node as YamlList ?? new YamlList { node }, indent, afterDash: false);

    private void Document(YamlNode document, ref bool first)
    {
        if (document is ChartWhen choice)
        {
            Line(0, $"{{{{- if {choice.Condition.Template} }}}}");
            first = false;
            Document(choice.Then, ref first);
            if (choice.Otherwise is { } otherwise)
            {
                Line(0, "{{- else }}");
                Document(otherwise, ref first);
            }

            Line(0, "{{- end }}");
            return;
        }

        if (!first)
        {
            Line(0, "---");
        }

        first = false;
        Top(document);
    }
}
