using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace OpenPlatform.Gateway.StandAlone;

/// <summary>A YAML 1.2 document (JSON is one too) as JSON nodes that remember their lines. Bounded: files are written by people.</summary>
internal sealed class YamlTree
{
    /// <summary>Levels of nesting, and nodes after aliases are followed: a document cannot be small and become huge.</summary>
    private const int MaxDepth = 64, MaxNodes = 5_000_000;

    /// <summary>Not of the core schema, but in every document that has parts in common (yaml.org/type/merge.html).</summary>
    private const string MergeKey = "<<";

    private readonly Dictionary<string, long> _lines = new(StringComparer.Ordinal);
    private int _nodes;

    private YamlTree()
    {
    }

    public JsonNode? Root { get; private set; }

    /// <exception cref="YamlException">Not YAML; says where.</exception>
    public static YamlTree Parse(TextReader text)
    {
        var stream = new YamlStream();
        var parser = new Parser(text);
        try
        {
            stream.Load(parser);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // What the library trips over is a mistake of the document all the same: lists and members mixed up, a member twice.
            var (start, end) = parser.Current is { } last ? (last.Start, last.End) : (Mark.Empty, Mark.Empty);
            throw new YamlException(start, end, $"the document makes no sense from here on ({e.Message})", e);
        }

        var tree = new YamlTree();
        if (stream.Documents.Count > 1)
        {
            throw At(stream.Documents[1].RootNode, "one document is expected, this is a second one");
        }

        tree.Root = stream.Documents.Count == 0 ? null : tree.Read(stream.Documents[0].RootNode, "", 0);
        return tree;
    }

    /// <summary>Line, from 1, of what a JSON pointer (RFC 6901) points to, or of the nearest thing around it that is there.</summary>
    public long LineOf(string pointer)
    {
        for (var at = pointer; ; at = at[..at.LastIndexOf('/')])
        {
            if (_lines.TryGetValue(at, out var line))
            {
                return line;
            }

            if (at.Length == 0)
            {
                return 1;
            }
        }
    }

    private JsonNode? Read(YamlNode node, string at, int depth)
    {
        if (depth > MaxDepth || ++_nodes > MaxNodes)
        {
            throw At(node, $"the document is nested deeper than {MaxDepth} levels or has more than {MaxNodes} values");
        }

        _lines.TryAdd(at, node.Start.Line);
        switch (node)
        {
            case YamlMappingNode mapping:
                var members = new JsonObject();
                var merged = new List<YamlNode>();
                foreach (var (key, value) in mapping.Children)
                {
                    if (key is YamlScalarNode { Value: MergeKey, Style: ScalarStyle.Plain })
                    {
                        merged.AddRange(value is YamlSequenceNode several ? several.Children : [value]);
                        continue;
                    }

                    var name = (key as YamlScalarNode)?.Value ?? throw At(key, "a member's name must be a text");
                    var pointer = $"{at}/{name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}";
                    _lines.TryAdd(pointer, key.Start.Line);
                    members.Add(name, Read(value, pointer, depth + 1));
                }

                foreach (var source in merged)
                {
                    Merge(source is YamlMappingNode ? source : throw At(source, "<< takes members of an object, or of a list of objects"), members, at, depth);
                }

                return members;
            case YamlSequenceNode sequence:
                return new JsonArray([.. sequence.Children.Select((item, i) => Read(item, $"{at}/{i}", depth + 1))]);
            default:
                return Scalar((YamlScalarNode)node);
        }
    }

    /// <summary>Members that are not there already: what an object says itself counts, and of several that are merged the first.</summary>
    private void Merge(YamlNode source, JsonObject members, string at, int depth)
    {
        foreach (var (name, value) in (JsonObject)Read(source, at, depth + 1)!)
        {
            if (!members.ContainsKey(name))
            {
                members.Add(name, value?.DeepClone());
            }
        }
    }

    /// <summary>The core schema (YAML 1.2.2, 10.3.2), so <c>no</c> and <c>on</c> are texts. What is quoted always is.</summary>
    private static JsonValue? Scalar(YamlScalarNode node)
    {
        var text = node.Value ?? "";
        if (node.Style is not (ScalarStyle.Plain or ScalarStyle.Any))
        {
            return JsonValue.Create(text);
        }

        return text switch
        {
            "" or "~" or "null" or "Null" or "NULL" => null,
            "true" or "True" or "TRUE" => JsonValue.Create(true),
            "false" or "False" or "FALSE" => JsonValue.Create(false),
            _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer) => JsonValue.Create(integer),
            _ when text[0] is '-' or '+' or '.' or (>= '0' and <= '9') && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
                => JsonValue.Create(number),
            _ => JsonValue.Create(text),
        };
    }

    private static YamlException At(YamlNode node, string message) => new(node.Start, node.End, message);
}
