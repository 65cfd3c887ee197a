using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace OpenPlatform.Cli;

/// <summary>In which form a result is written.</summary>
internal enum OutputFormat
{
    /// <summary>For people.</summary>
    Table,

    /// <summary>For programs.</summary>
    Json,

    /// <summary>For files.</summary>
    Yaml,
}

/// <summary>A column of a table.</summary>
/// <param name="Path">Of the member, pointer-like (<c>a.b</c>).</param>
/// <param name="Each">When that is a list of objects: the members of each that are shown.</param>
internal sealed record Column(string Header, string Path, params string[] Each);

/// <summary>Results go to standard output, everything else (progress, problems) to standard error, so that a pipe gets results only.</summary>
internal static class Output
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly IAnsiConsole Errors = Open(Console.Error, Console.IsErrorRedirected);
    private static readonly IAnsiConsole Results = Open(Console.Out, Console.IsOutputRedirected);

    public static Option<OutputFormat> Format { get; } = new("--output", "-o")
    {
        Description = "table, json or yaml.",
        Recursive = true,
        DefaultValueFactory = static _ => OutputFormat.Table,
    };

    public static void Failed(string message) => Errors.MarkupLineInterpolated($"[red]{message}[/]");

    public static void Say(string message) => Errors.WriteLine(message);

    /// <param name="place">Empty: it is about the whole.</param>
    public static void Problem(string place, string detail)
    {
        if (place.Length == 0)
        {
            Say(detail);
        }
        else
        {
            Errors.MarkupLineInterpolated($"[yellow]{place}[/]: {detail}");
        }
    }

    /// <summary>Asks on a terminal; without one the question is a failure that says which option answers it.</summary>
    public static bool Confirmed(string question, string option) => Console.IsInputRedirected
        ? throw new CommandFailure(ExitCode.Usage, $"{question} Nobody can answer here: give {option}.")
        : Errors.Prompt(new ConfirmationPrompt(question) { DefaultValue = false });

    /// <summary>A secret that is typed, never shown; from standard input when that is no terminal.</summary>
    public static string Secret(string prompt) => Console.IsInputRedirected
        ? Console.In.ReadLine()?.Trim() is { Length: > 0 } line ? line : throw new CommandFailure(ExitCode.Usage, $"{prompt} is expected on standard input.")
        : Errors.Prompt(new TextPrompt<string>($"{prompt}:").Secret());

    public static void Write(JsonNode? node, OutputFormat format)
    {
        if (format == OutputFormat.Yaml)
        {
            Console.Out.Write(YamlOf(node));
        }
        else
        {
            Console.Out.WriteLine(node?.ToJsonString(Indented) ?? "null");
        }
    }

    /// <summary>One row an item.</summary>
    public static void Table(IEnumerable<JsonNode> items, IReadOnlyList<Column> columns)
    {
        var table = new Table().Border(TableBorder.None);
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column.Header.ToUpperInvariant(), new Style(decoration: Decoration.Bold))) { NoWrap = true, Padding = new(0, 0, 2, 0) });
        }

        foreach (var item in items)
        {
            table.AddRow(columns.Select(column => new Text(TextOf(item, column))));
        }

        Results.Write(table);
    }

    /// <summary>One line of a result, with markup whose arguments are escaped.</summary>
    public static void Line(FormattableString markup) => Results.MarkupLineInterpolated(markup);

    public static string YamlOf(JsonNode? node)
    {
        using var text = new StringWriter();
        new YamlStream(new YamlDocument(Node(node))).Save(text, assignAnchors: false);
        var yaml = text.ToString();
        return yaml.EndsWith("...\n", StringComparison.Ordinal) ? yaml[..^4] : yaml; // the end mark of a document is for streams of several
    }

    /// <summary>A file or a pipe gets no colours, and lines as long as they are.</summary>
    private static IAnsiConsole Open(TextWriter writer, bool redirected)
    {
        var console = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(writer), Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect });
        if (redirected)
        {
            console.Profile.Width = 10_000;
        }

        return console;
    }

    private static string TextOf(JsonNode item, Column column)
    {
        JsonNode? at = item;
        foreach (var member in column.Path.Split('.'))
        {
            at = at is JsonObject owner ? owner[member] : null;
        }

        return at switch
        {
            null => "",
            JsonValue value => value.ToString(),
            JsonArray list => string.Join(", ", list.Select(i => i is JsonObject o ? string.Join(' ', column.Each.Select(member => o[member]?.ToString()).OfType<string>()) : i?.ToString())),
            _ => at.ToJsonString(),
        };
    }

    private static YamlNode Node(JsonNode? node) => node switch
    {
        JsonObject members => new YamlMappingNode(members.Select(static m => new KeyValuePair<YamlNode, YamlNode>(Scalar(m.Key), Node(m.Value)))),
        JsonArray items => new YamlSequenceNode(items.Select(Node)),
        JsonValue value when value.GetValueKind() == JsonValueKind.String => Scalar(value.GetValue<string>()),
        null => new YamlScalarNode("null") { Style = ScalarStyle.Plain },
        _ => new YamlScalarNode(node.ToJsonString()) { Style = ScalarStyle.Plain },
    };

    /// <summary>Lines that stand as they are. Other breaks, what cannot be printed, and blanks at an edge would not come back.</summary>
    private static bool IsLiteral(string text) => text.Contains('\n', StringComparison.Ordinal) && !text.Any(static c => (char.IsControl(c) && c != '\n') || c is '\u2028' or '\u2029' or '\uFEFF' || char.IsSurrogate(c))
        && text.Split('\n').All(static line => line.Length == 0 || (line[0] != ' ' && line[^1] != ' ')) && text[0] != '\n';

    /// <summary>Quoted where plain text would be read as something else, or as a variable.</summary>
    private static YamlScalarNode Scalar(string text)
    {
        var plain = text.Length > 0 && char.IsAsciiLetter(text[0]) && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or ' ')
            && text is not ("true" or "True" or "TRUE" or "false" or "False" or "FALSE" or "null" or "Null" or "NULL") && !text.EndsWith(' ');
        return new YamlScalarNode(text) { Style = plain ? ScalarStyle.Plain : IsLiteral(text) ? ScalarStyle.Literal : ScalarStyle.DoubleQuoted };
    }
}
