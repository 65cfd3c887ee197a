using System.Text.Json;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>A place in an OpenAPI document: its value and its JSON pointer. What is read through it has its references followed.</summary>
/// <param name="Root">The whole document, where references lead.</param>
internal readonly record struct DocumentNode(JsonElement Root, JsonElement Value, string Pointer)
{
    /// <summary>References that lead to references; more are a circle.</summary>
    private const int MostHops = 32;

    public static DocumentNode Of(JsonElement document) => new(document, document, "");

    public bool IsObject => Value.ValueKind == JsonValueKind.Object;

    public bool IsArray => Value.ValueKind == JsonValueKind.Array;

    /// <summary>False: a reference led nowhere.</summary>
    public bool Exists => Value.ValueKind != JsonValueKind.Undefined;

    /// <summary>A member, its reference followed; null when there is none.</summary>
    public DocumentNode? this[string member] => Raw(member)?.Resolved();

    /// <summary>A member as it stands there; null when there is none.</summary>
    public DocumentNode? Raw(string member) =>
        IsObject && Value.TryGetProperty(member, out var value) ? this with { Value = value, Pointer = Down(member) } : null;

    public IEnumerable<(string Name, DocumentNode Node)> Members()
    {
        if (IsObject)
        {
            foreach (var member in Value.EnumerateObject())
            {
                yield return (member.Name, (this with { Value = member.Value, Pointer = Down(member.Name) }).Resolved());
            }
        }
    }

    public IEnumerable<DocumentNode> Items()
    {
        if (IsArray)
        {
            var i = 0;
            foreach (var item in Value.EnumerateArray())
            {
                yield return (this with { Value = item, Pointer = $"{Pointer}/{i++}" }).Resolved();
            }
        }
    }

    /// <summary>A member that is a text, or null.</summary>
    public string? Text(string member) => Raw(member) is { Value.ValueKind: JsonValueKind.String } node ? node.Value.GetString() : null;

    /// <summary>Whether a member is <c>true</c>.</summary>
    public bool Flag(string member) => Raw(member) is { Value.ValueKind: JsonValueKind.True };

    /// <summary>The texts of a list of texts.</summary>
    public IEnumerable<string> Texts(string member) =>
        Raw(member) is { } list ? list.Items().Where(static item => item.Value.ValueKind == JsonValueKind.String).Select(static item => item.Value.GetString()!) : [];

    /// <summary>Where its <c>$ref</c> leads, through further ones; itself when it has none; what does not exist when it leads nowhere.</summary>
    public DocumentNode Resolved()
    {
        var node = this;
        for (var hop = 0; hop < MostHops; hop++)
        {
            if (node.Text("$ref") is not { } reference)
            {
                return node;
            }

            if (Find(reference) is not { } next)
            {
                break;
            }

            node = next;
        }

        return this with { Value = default };
    }

    /// <summary>What <c>#/…</c> points to in this document, or null.</summary>
    public DocumentNode? Find(string reference)
    {
        if (!reference.StartsWith("#/", StringComparison.Ordinal))
        {
            return null;
        }

        var value = Root;
        foreach (var step in Uri.UnescapeDataString(reference[2..]).Split('/'))
        {
            var name = step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            var found = value.ValueKind switch
            {
                JsonValueKind.Object => value.TryGetProperty(name, out value),
                JsonValueKind.Array when int.TryParse(name, System.Globalization.NumberStyles.None, null, out var index) && index < value.GetArrayLength() => Into(ref value, index),
                _ => false,
            };
            if (!found)
            {
                return null;
            }
        }

        return this with { Value = value, Pointer = Uri.UnescapeDataString(reference[1..]) };
    }

    private static bool Into(ref JsonElement list, int index)
    {
        list = list[index];
        return true;
    }

    private string Down(string member) => $"{Pointer}/{ProblemExceptionHandler.Escape(member)}";
}
