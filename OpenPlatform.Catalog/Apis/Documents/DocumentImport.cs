using System.Text.Json;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>Turns what a document says into policies, so that gateways check what is described.</summary>
internal static class DocumentImport
{
    /// <summary>The snapshot takes 64 KiB of UTF-8; a character has at most three bytes there.</summary>
    private const int MostExampleCharacters = (64 << 10) / 3;

    private const string SchemaPrefix = "#/components/schemas/";

    /// <summary>The policies of one operation: its own, and what the document says where they say nothing.</summary>
    public static OperationPolicies Policies(ApiDocument document, DocumentOperation operation, DocumentUse use, OperationPolicies own)
    {
        if (use.Bodies && operation.RequestBody is { } body)
        {
            own = own with { Body = own.Body ?? BodyOf(body), RequestSchema = own.RequestSchema ?? operation.JsonRequest?.Value };
        }

        if (use.Scopes && own.Scopes is null && ScopesOf(document, operation) is { Length: > 0 } scopes)
        {
            own = own with { Scopes = scopes };
        }

        return use.Examples && own.Example is null && ExampleOf(operation) is { } example ? own with { Example = example } : own;
    }

    private static BodyPolicy BodyOf(DocumentNode body)
    {
        var types = (body["content"]?.Members() ?? []).Select(static media => DocumentOperation.MediaTypeOf(media.Name)).Distinct(StringComparer.Ordinal).ToArray();
        // A body of any type: */* has no word in the policy, and needs none.
        return new(null, types.Length == 0 || types.Contains("*/*", StringComparer.Ordinal) ? null : types, body.Flag("required") ? true : null);
    }

    /// <summary>What every way of proving who one is asks for: a way without scopes leaves none.</summary>
    private static string[] ScopesOf(ApiDocument document, DocumentOperation operation) => SecurityRequirement.Of(document, operation)
        .Select(static alternative => alternative.Schemes.Values.SelectMany(static scopes => scopes).ToHashSet(StringComparer.Ordinal))
        .Aggregate(static (common, other) => [.. common.Intersect(other)])
        .Order(StringComparer.Ordinal).ToArray();

    private static ExampleAnswer? ExampleOf(DocumentOperation operation)
    {
        if (MockAnswer.Of(operation, null) is not { Status: >= 200 and <= 599 } answer)
        {
            return null;
        }

        var body = answer.ContentType is null || answer.Status is 204 or 205 or 304 ? null : answer.Text();
        return body?.Length > MostExampleCharacters ? null : new(answer.Status, body is null ? null : answer.ContentType, body);
    }

    /// <summary>The schemas that the requests refer to, and those that these refer to. What only answers use is no gateway's business.</summary>
    public static IReadOnlyDictionary<string, JsonElement>? RequestSchemas(ApiDocument document)
    {
        var found = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        var open = new Stack<JsonElement>(document.Operations.Select(static operation => operation.JsonRequest?.Value).OfType<JsonElement>());
        while (open.TryPop(out var value))
        {
            switch (value.ValueKind)
            {
                case JsonValueKind.Object:
                    foreach (var member in value.EnumerateObject())
                    {
                        if (member.Name == "$ref" && NameOf(member.Value) is { } name && document.Root["components"]?["schemas"]?.Raw(name) is { } schema && found.TryAdd(name, schema.Value))
                        {
                            open.Push(schema.Value);
                        }

                        open.Push(member.Value);
                    }

                    break;
                case JsonValueKind.Array:
                    foreach (var item in value.EnumerateArray())
                    {
                        open.Push(item);
                    }

                    break;
            }
        }

        return found.Count == 0 ? null : found;
    }

    private static string? NameOf(JsonElement reference) =>
        reference.ValueKind == JsonValueKind.String && reference.GetString()!.StartsWith(SchemaPrefix, StringComparison.Ordinal)
            ? Uri.UnescapeDataString(reference.GetString()![SchemaPrefix.Length..]).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)
            : null;
}
