using System.Text.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Gateway.StandAlone;
using YamlDotNet.Core;

namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>Documents arrive as JSON values, or as text that holds JSON or YAML; from here on all of them are JSON.</summary>
internal static class DocumentText
{
    /// <summary>Longest document, bytes of UTF-8: some thousand operations with their schemas.</summary>
    public const int MaxBytes = 8 << 20;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = DocumentCheck.MaxDepth };

    /// <summary>The document of a request member: an object as it is, a text as what it holds. Null with the reason when it cannot be read.</summary>
    public static (JsonElement? Document, string? Reason) Read(JsonElement member) => member.ValueKind switch
    {
        JsonValueKind.String => Parse(member.GetString()!),
        _ when System.Text.Encoding.UTF8.GetByteCount(member.GetRawText()) > MaxBytes => (null, TooLarge),
        _ => (member, null),
    };

    /// <summary>The document that <paramref name="text"/> holds. JSON is YAML too; it is tried first because it is a hundred times faster.</summary>
    public static (JsonElement? Document, string? Reason) Parse(string text)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(text) > MaxBytes)
        {
            return (null, TooLarge);
        }

        try
        {
            return text.AsSpan().TrimStart() is ['{', ..] && Json(text) is { } json ? (json, null) : (Yaml(text), null);
        }
        catch (YamlException exception)
        {
            return (null, $"is neither JSON nor YAML: line {exception.Start.Line}, column {exception.Start.Column}: {exception.InnerException?.Message ?? exception.Message}");
        }
        catch (JsonException exception)
        {
            return (null, $"cannot be read: {exception.Message}");
        }
    }

    private static string TooLarge => $"must be at most {MaxBytes >> 20} MiB";

    private static JsonElement? Json(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text, Strict);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null; // a flow mapping of YAML begins with a brace as well
        }
    }

    private static JsonElement Yaml(string text)
    {
        using var reader = new StringReader(text);
        var tree = YamlTree.Parse(reader).Root ?? new JsonObject();
        return JsonSerializer.SerializeToElement(tree);
    }
}
