using System.Text.Json;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>Turns what a document says of bodies into policies, so that gateways check what is described.</summary>
internal static class DocumentImport
{
    private const string SchemaPrefix = "#/components/schemas/";

    /// <summary>Body and schema of one operation, or null when its document asks for nothing.</summary>
    public static OperationPolicies? BodyPolicies(DocumentOperation operation)
    {
        if (operation.RequestBody is not { } body)
        {
            return null;
        }

        var types = (body["content"]?.Members() ?? []).Select(static media => DocumentOperation.MediaTypeOf(media.Name)).Distinct(StringComparer.Ordinal).ToArray();
        return new()
        {
            // A body of any type: */* has no word in the policy, and needs none.
            Body = new(null, types.Length == 0 || types.Contains("*/*", StringComparer.Ordinal) ? null : types, body.Flag("required") ? true : null),
            RequestSchema = operation.JsonRequest?.Value,
        };
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
