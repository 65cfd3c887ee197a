using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.OpenApi;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>Takes the operations from an OpenAPI 3 document.</summary>
internal static partial class OpenApiImport
{
    /// <summary>The operations in the order of the document; null when it cannot be read, with the reasons in <paramref name="check"/>.</summary>
    /// <param name="at">Where the document stands in the request, a JSON pointer.</param>
    public static IReadOnlyList<ImportedOperation>? Read(JsonElement document, string at, RequestCheck check)
    {
        if (document.ValueKind != JsonValueKind.Object)
        {
            check.Add(at, "must be an OpenAPI 3 document as a JSON object");
            return null;
        }

        ReadOnlySpan<string> known = ["3.0.", "3.1."];
        var version = document.TryGetProperty("openapi", out var member) && member.ValueKind == JsonValueKind.String ? member.GetString()! : "";
        if (!version.StartsWith(known[0], StringComparison.Ordinal) && !version.StartsWith(known[1], StringComparison.Ordinal))
        {
            check.Add(at + "/openapi", "must be 3.0.x or 3.1.x");
            return null;
        }

        if (Parse(document, at, check) is not { } parsed)
        {
            return null;
        }

        var operations = new List<ImportedOperation>();
        foreach (var (path, item) in parsed.Paths)
        {
            foreach (var (method, operation) in item.Operations ?? [])
            {
                var id = string.IsNullOrEmpty(operation.OperationId) ? NameFor(method.Method, path) : operation.OperationId;
                operations.Add(new(
                    new OperationModel(id, method.Method.ToUpperInvariant(), path),
                    $"{at}/paths/{ProblemExceptionHandler.Escape(path)}/{method.Method.ToLowerInvariant()}", IsImported: true));
            }
        }

        return operations;
    }

    private static OpenApiDocument? Parse(JsonElement document, string at, RequestCheck check)
    {
        try
        {
            var result = OpenApiDocument.Parse(document.GetRawText(), "json");
            foreach (var error in result.Diagnostic?.Errors ?? [])
            {
                check.Add(at + (error.Pointer ?? "").TrimStart('#'), error.Message);
            }

            return check.Problem is null ? result.Document : null;
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // A library's parser on foreign input: whatever it throws, the document is what is wrong.
            check.Add(at, "cannot be read as an OpenAPI document");
            return null;
        }
    }

    /// <summary>A stable name for an operation that has none: <c>GET /orders/{id}</c> is <c>get-orders-id</c>.</summary>
    private static string NameFor(string method, string path) =>
        (method + NotInName().Replace(path, "-")).ToLowerInvariant().Trim('-');

    [GeneratedRegex("[^A-Za-z0-9]+", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex NotInName();
}
