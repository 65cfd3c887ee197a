using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Aspire.Hosting;

namespace OpenPlatform.Hosting.Publishing.Azure.Bicep;

/// <summary>Writes a file as <c>bicep format</c> would: two spaces a level, one entry or item a line, statements apart by an empty line.</summary>
internal sealed partial class BicepWriter
{
    private readonly StringBuilder _text = new();

    public static string Write(BicepFile file)
    {
        foreach (var name in file.Select(Name).OfType<string>().GroupBy(static n => n, StringComparer.Ordinal).Where(static g => g.Count() > 1).Select(static g => g.Key))
        {
            throw new DistributedApplicationException($"Two things would be called '{name}' in one Bicep file ({file.About.TrimEnd('.')}). Rename the resource or the parameter of the AppHost that is called so.");
        }

        var writer = new BicepWriter();
        writer._text.Append("// ").Append(file.About).Append('\n');
        if (file.Scope is { } scope)
        {
            writer._text.Append("\ntargetScope = ").Append(Quoted(scope)).Append('\n');
        }

        foreach (var statement in file)
        {
            writer._text.Append('\n');
            writer.Statement(statement);
        }

        return writer._text.ToString();
    }

    /// <summary>A value on one line; objects and lists are for lines of their own.</summary>
    internal static string Inline(BicepValue value) => value switch
    {
        BicepLiteral { Value: string text } => Quoted(text),
        BicepLiteral { Value: bool flag } => flag ? "true" : "false",
        BicepLiteral { Value: int number } => number.ToString(CultureInfo.InvariantCulture),
        BicepText text => $"'{string.Concat(text.Parts.Select(static p => p is BicepLiteral { Value: string literal } ? Escape(literal) : $"${{{Inline(p)}}}"))}'",
        BicepExpression expression => expression.Code,
        BicepMap { Count: 0 } => "{}",
        BicepList { Count: 0 } => "[]",
        _ => throw new NotSupportedException($"{value.GetType().Name} on one line."),
    };

    private void Statement(BicepStatement statement)
    {
        switch (statement)
        {
            case BicepParameter parameter:
                Line(0, $"@description({Quoted(parameter.Description)})");
                if (parameter.Secure)
                {
                    Line(0, "@secure()");
                }

                foreach (var (decorator, bound) in parameter.Bounds)
                {
                    Line(0, string.Create(CultureInfo.InvariantCulture, $"@{decorator}({bound})"));
                }

                Head($"param {parameter.Name} {parameter.Type}", parameter.Default is null ? "" : " = ", parameter.Default);
                break;
            case BicepVariable variable:
                Head($"var {variable.Name}", " = ", variable.Value);
                break;
            case BicepResource resource:
                var head = $"resource {resource.Symbol} {Quoted(resource.Type)}{(resource.Existing ? " existing" : "")} = ";
                if (resource.For is { } items)
                {
                    _text.Append(head).Append("[\n  for ").Append(items).Append(": ");
                    Value(resource.Body, 2);
                    _text.Append("\n]\n");
                }
                else
                {
                    Head(head, resource.If is { } condition ? $"if ({condition.Code}) " : "", resource.Body);
                }

                break;
            case BicepModule module:
                Head($"module {module.Symbol} {Quoted(module.Path)}", " = ", module.Body);
                break;
            case BicepOutput output:
                Line(0, $"@description({Quoted(output.Description)})");
                Head($"output {output.Name} {output.Type}", " = ", output.Value);
                break;
            default:
                throw new NotSupportedException(statement.GetType().Name);
        }
    }

    private void Head(string head, string between, BicepValue? value)
    {
        _text.Append(head).Append(between);
        if (value is not null)
        {
            Value(value, 0);
        }

        _text.Append('\n');
    }

    private void Value(BicepValue value, int indent)
    {
        switch (value)
        {
            case BicepMap { Count: > 0 } map:
                _text.Append("{\n");
                foreach (var (key, entry) in map)
                {
                    _text.Append(' ', indent + 2).Append(Key(key)).Append(": ");
                    Value(entry, indent + 2);
                    _text.Append('\n');
                }

                _text.Append(' ', indent).Append('}');
                break;
            case BicepList { Count: > 0 } list:
                _text.Append("[\n");
                foreach (var item in list)
                {
                    _text.Append(' ', indent + 2);
                    Value(item, indent + 2);
                    _text.Append('\n');
                }

                _text.Append(' ', indent).Append(']');
                break;
            default:
                _text.Append(Inline(value));
                break;
        }
    }

    private void Line(int indent, string text) => _text.Append(' ', indent).Append(text).Append('\n');

    /// <summary>What the rest of the file calls it; outputs have names of their own.</summary>
    private static string? Name(BicepStatement statement) => statement switch
    {
        BicepParameter parameter => parameter.Name,
        BicepVariable variable => variable.Name,
        BicepResource resource => resource.Symbol,
        BicepModule module => module.Symbol,
        _ => null,
    };

    private static string Key(string key) => Identifier().IsMatch(key) || key.StartsWith("'${", StringComparison.Ordinal) ? key : Quoted(key);

    private static string Quoted(string text) => $"'{Escape(text)}'";

    /// <summary>Bicep knows six escapes, and <c>${</c> opens a hole.</summary>
    private static string Escape(string text)
    {
        var escaped = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            _ = text[i] switch
            {
                '\'' or '\\' => escaped.Append('\\').Append(text[i]),
                '\n' => escaped.Append("\\n"),
                '\r' => escaped.Append("\\r"),
                '\t' => escaped.Append("\\t"),
                '$' when i + 1 < text.Length && text[i + 1] == '{' => escaped.Append("\\$"),
                < ' ' or '\u007f' => escaped.Append(CultureInfo.InvariantCulture, $"\\u{{{(int)text[i]:x}}}"),
                _ => escaped.Append(text[i]),
            };
        }

        return escaped.ToString();
    }

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_]*\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Identifier();
}
