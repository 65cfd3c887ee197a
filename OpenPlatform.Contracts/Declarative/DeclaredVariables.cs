using System.Text.Json.Nodes;

namespace OpenPlatform.Contracts.Declarative;

/// <summary><c>${NAME}</c> in the texts of a document, so that secrets stay out of it; <c>$${</c> stands for <c>${</c>.</summary>
public static class DeclaredVariables
{
    /// <summary>Replaces every variable in place.</summary>
    /// <param name="variable">Value of a name, or null when there is none.</param>
    /// <param name="problem">Told the pointer of each text that names a missing variable.</param>
    public static void Substitute(JsonNode document, Func<string, string?> variable, Action<string, string> problem) => Substitute(document, "", variable, problem);

    /// <summary>Makes every text of the document one that <see cref="Substitute(JsonNode, Func{string, string?}, Action{string, string})"/> turns back into what it is, in place.</summary>
    public static void Escape(JsonNode document)
    {
        foreach (var (key, value) in MembersOf(document))
        {
            if (value is JsonValue leaf && leaf.TryGetValue(out string? text))
            {
                if (DeclaredName.Literal(text) is var literal && literal != text)
                {
                    Set(document, key, literal);
                }
            }
            else if (value is not null)
            {
                Escape(value);
            }
        }
    }

    private static void Substitute(JsonNode node, string at, Func<string, string?> variable, Action<string, string> problem)
    {
        foreach (var (key, value) in MembersOf(node))
        {
            var pointer = $"{at}/{DeclaredName.Escape(key)}";
            if (value is JsonValue leaf && leaf.TryGetValue(out string? text))
            {
                if (DeclaredName.Substitute(text, variable, missing => problem(pointer, $"needs the environment variable {missing}, which is not set")) is { } changed)
                {
                    Set(node, key, changed);
                }
            }
            else if (value is not null)
            {
                Substitute(value, pointer, variable, problem);
            }
        }
    }

    private static (object Key, JsonNode? Value)[] MembersOf(JsonNode node) => node switch
    {
        JsonObject o => [.. o.Select(static m => ((object)m.Key, m.Value))],
        JsonArray a => [.. a.Select(static (value, i) => ((object)i, value))],
        _ => [],
    };

    private static void Set(JsonNode owner, object key, string value)
    {
        if (key is int index)
        {
            owner[index] = value;
        }
        else
        {
            owner[(string)key] = value;
        }
    }
}
