using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace OpenPlatform.Hosting.Publishing.Yaml;

/// <summary>
/// Writes a document in block style, two spaces a level, keys in their order: the same tree gives the same bytes. A text stands in quotes
/// unless no reader of YAML 1.1 or 1.2 could take it for anything else.
/// </summary>
internal partial class YamlWriter
{
    private readonly StringBuilder _text = new();

    public static string Write(YamlNode document)
    {
        var writer = new YamlWriter();
        writer.Top(document);
        return writer.ToString();
    }

    public override string ToString() => _text.ToString();

    protected void Top(YamlNode document) => Node(document, 0, afterDash: false);

    protected void Line(int indent, string text) => _text.Append(' ', indent).Append(text).Append('\n');

    /// <summary>Nodes of a derived writer. Writes whole lines.</summary>
    /// <returns>False: it is one of this writer's.</returns>
    protected virtual bool TryEntry(string key, YamlNode value, int indent, string lead) => false;

    /// <inheritdoc cref="TryEntry"/>
    protected virtual bool TryItem(YamlNode item, int indent) => false;

    /// <summary>A value that fits behind its key; null: it needs lines of its own.</summary>
    protected virtual string? Inline(YamlNode node) => node switch
    {
        YamlScalar { Value: string text } when text.Contains('\n', StringComparison.Ordinal) && IsBlock(text) => null,
        YamlScalar scalar => Scalar(scalar.Value),
        YamlMap { Count: 0 } => "{}",
        YamlList { Count: 0 } => "[]",
        _ => null,
    };

    /// <param name="lead">What stands before the key: spaces, or the dash of a list item.</param>
    protected void Entry(string key, YamlNode value, int indent, string lead)
    {
        if (TryEntry(key, value, indent, lead))
        {
            return;
        }

        var name = Scalar(key);
        if (Inline(value) is { } inline)
        {
            _text.Append(lead).Append(name).Append(": ").Append(inline).Append('\n');
        }
        else if (value is YamlScalar { Value: string block })
        {
            _text.Append(lead).Append(name).Append(block.EndsWith('\n') ? ": |\n" : ": |-\n");
            foreach (var line in block.TrimEnd('\n').Split('\n'))
            {
                Line(line.Length == 0 ? 0 : indent + 2, line);
            }
        }
        else
        {
            _text.Append(lead).Append(name).Append(":\n");
            Node(value, value is YamlList ? indent : indent + 2, afterDash: false);
        }
    }

    /// <param name="afterDash">The first line continues behind "- ".</param>
    protected void Node(YamlNode node, int indent, bool afterDash)
    {
        switch (node)
        {
            case YamlMap map:
                var first = afterDash;
                foreach (var (key, value) in map)
                {
                    if (map.Comments.TryGetValue(key, out var comment))
                    {
                        Line(indent, $"# {comment}");
                    }

                    Entry(key, value, indent, first ? new string(' ', indent - 2) + "- " : new string(' ', indent));
                    first = false;
                }

                break;
            case YamlList list:
                foreach (var item in list)
                {
                    if (TryItem(item, indent))
                    {
                        continue;
                    }

                    if (Inline(item) is { } inline)
                    {
                        Line(indent, $"- {inline}");
                    }
                    else
                    {
                        Node(item is YamlMap ? item : throw new NotSupportedException("A list directly in a list, or a text of several lines in one."), indent + 2, afterDash: true);
                    }
                }

                break;
            default:
                Line(indent, Inline(node) ?? throw new NotSupportedException(node.GetType().Name));
                break;
        }
    }

    internal static string Scalar(object value) => value switch
    {
        bool flag => flag ? "true" : "false",
        int number => number.ToString(CultureInfo.InvariantCulture),
        string text when Plain().IsMatch(text) && !Ambiguous().IsMatch(text) => text,
        string text => Quoted(text),
        _ => throw new NotSupportedException(value.GetType().Name),
    };

    private static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' or '\\' => quoted.Append('\\').Append(c),
                '\n' => quoted.Append("\\n"),
                '\t' => quoted.Append("\\t"),
                < ' ' or '\u007f' or (>= '\u0080' and <= '\u009f') or '\u2028' or '\u2029' or '\ufeff' => quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => quoted.Append(c),
            };
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>A block keeps every character but those that need an escape, and its first line must show the indent.</summary>
    private static bool IsBlock(string text) => text[0] is not (' ' or '\n') && !text.EndsWith("\n\n", StringComparison.Ordinal) && text.All(c => c is '\n' or >= ' ' and < '\u007f');

    [GeneratedRegex(@"^[A-Za-z_/.][A-Za-z0-9_./@-]*(:[A-Za-z0-9_./@-]+)*\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Plain();

    [GeneratedRegex(@"^(y|n|yes|no|on|off|true|false|null|\.(inf|nan)|\.[0-9][0-9_.e+-]*|\.)\z", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, 1000)]
    private static partial Regex Ambiguous();
}
