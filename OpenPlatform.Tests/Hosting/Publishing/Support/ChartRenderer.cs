using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace OpenPlatform.Tests.Hosting.Publishing;

/// <summary>
/// Renders the part of Helm's template language that our charts use, and refuses everything else: values, if/else/end with "not" and "eq",
/// quote, toYaml, toJson, nindent, sha256sum, and "{{-". A value that values.yaml does not have is an error.
/// </summary>
internal sealed partial class ChartRenderer(JsonObject values, string releaseNamespace)
{
    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonObject Merge(JsonObject below, JsonObject above)
    {
        var merged = below.DeepClone().AsObject();
        foreach (var (key, value) in above)
        {
            merged[key] = merged[key] is JsonObject inner && value is JsonObject over ? Merge(inner, over) : value?.DeepClone();
        }

        return merged;
    }

    public string Render(string template)
    {
        var tokens = Tokens(template);
        var position = 0;
        var text = Block(tokens, ref position, live: true, out var end);
        return end is null ? text : throw new FormatException($"'{end}' closes nothing.");
    }

    private static List<(bool IsAction, string Text)> Tokens(string template)
    {
        var tokens = new List<(bool, string)>();
        var from = 0;
        foreach (var action in Action().EnumerateMatches(template))
        {
            var raw = template.AsSpan(action.Index, action.Length);
            var before = template[from..action.Index];
            tokens.Add((false, raw.StartsWith("{{-", StringComparison.Ordinal) ? before.TrimEnd() : before));
            tokens.Add((true, raw.Trim("{}-").Trim().ToString()));
            from = action.Index + action.Length;
        }

        tokens.Add((false, template[from..]));
        return tokens;
    }

    /// <param name="end">The action that ended the block: "else", "end", or null at the end of the text.</param>
    private string Block(List<(bool IsAction, string Text)> tokens, ref int position, bool live, out string? end)
    {
        var text = new StringBuilder();
        while (position < tokens.Count)
        {
            var (isAction, token) = tokens[position++];
            if (!isAction)
            {
                text.Append(live ? token : "");
            }
            else if (token is "else" or "end")
            {
                end = token;
                return text.ToString();
            }
            else if (token.StartsWith("if ", StringComparison.Ordinal))
            {
                var holds = live && Holds(token[3..]);
                text.Append(Block(tokens, ref position, live && holds, out var stop));
                if (stop == "else")
                {
                    text.Append(Block(tokens, ref position, live && !holds, out stop));
                }

                if (stop != "end")
                {
                    throw new FormatException($"'{token}' is not closed.");
                }
            }
            else if (live)
            {
                text.Append(Evaluate(token));
            }
        }

        end = null;
        return text.ToString();
    }

    private bool Holds(string condition) => condition.Split(' ') switch
    {
        ["not", var path] => !Value(path)!.GetValue<bool>(),
        ["eq", var path, var text] => Value(path)!.GetValue<string>() == text.Trim('"'),
        [var path] => Value(path)!.AsValue().TryGetValue<string>(out var text) ? text.Length > 0 : Value(path)!.GetValue<bool>(),
        _ => throw new FormatException($"Unknown condition '{condition}'."),
    };

    private string Evaluate(string expression)
    {
        var steps = expression.Split(" | ");
        var result = steps[0].Split(' ') switch
        {
            // JSON is YAML, so what toYaml writes may be JSON on one line.
            ["toYaml" or "toJson", var path] => Json(Value(path)),
            ["\"{{\""] => "{{",
            [".Release.Namespace"] => releaseNamespace,
            [var path] when Value(path) is JsonValue value => value.ToString(),
            _ => throw new FormatException($"Unknown expression '{expression}'."),
        };
        foreach (var step in steps.Skip(1))
        {
            result = step.Split(' ') switch
            {
                ["quote"] => JsonSerializer.Serialize(result, Relaxed),
                ["nindent", var spaces] => "\n" + new string(' ', int.Parse(spaces)) + result,
                ["sha256sum"] => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(result))),
                _ => throw new FormatException($"Unknown function '{step}'."),
            };
        }

        return result;
    }

    private JsonNode? Value(string path)
    {
        if (!path.StartsWith(".Values.", StringComparison.Ordinal))
        {
            throw new FormatException($"'{path}' is no value.");
        }

        var names = path[".Values.".Length..].Split('.');
        return Manifest.In(values, names) ?? throw new FormatException($"values.yaml has no {path}.");
    }

    /// <summary>As Go writes it: sorted keys, and what HTML could take for its own escaped.</summary>
    private static string Json(JsonNode? node) => node switch
    {
        JsonObject map => $"{{{string.Join(',', map.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => $"{Json(e.Key)}:{Json(e.Value)}"))}}}",
        JsonArray list => $"[{string.Join(',', list.Select(Json))}]",
        null => "null",
        _ => node.ToJsonString(Relaxed).Replace("<", "\\u003c", StringComparison.Ordinal).Replace(">", "\\u003e", StringComparison.Ordinal).Replace("&", "\\u0026", StringComparison.Ordinal),
    };

    [GeneratedRegex(@"\{\{-?\s.*?\s-?\}\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Action();
}
