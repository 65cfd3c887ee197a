using System.Text.Json;
using System.Text.RegularExpressions;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>One operation of a document.</summary>
/// <param name="OperationId">Its own, or one made of method and path.</param>
/// <param name="IsNamed">False: it has no id of its own.</param>
/// <param name="Method">In upper case.</param>
/// <param name="Path">As the document has it, such as <c>/orders/{id}</c>.</param>
/// <param name="Parameters">Those of the path, in whose place its own of the same name stand.</param>
/// <param name="Responses">By status: <c>200</c>, <c>2XX</c> or <c>default</c>.</param>
internal sealed record DocumentOperation(
    string OperationId, bool IsNamed, string Method, string Path, DocumentNode Node,
    IReadOnlyList<DocumentNode> Parameters, DocumentNode? RequestBody, IReadOnlyList<(string Status, DocumentNode Response)> Responses)
{
    /// <summary>Method and path without the names of parameters: what makes it the same operation in two documents.</summary>
    public string Shape { get; } = OperationShape.Of(Method, Path);

    /// <summary>The body's JSON schema as it stands there, or null.</summary>
    public DocumentNode? JsonRequest => JsonContent(RequestBody)?.Raw("schema");

    /// <summary>The JSON media type of a body or answer, or null.</summary>
    public static DocumentNode? JsonContent(DocumentNode? owner)
    {
        foreach (var (type, node) in owner?["content"]?.Members() ?? [])
        {
            var bare = MediaTypeOf(type);
            if (bare == "application/json" || bare.EndsWith("+json", StringComparison.Ordinal))
            {
                return node;
            }
        }

        return null;
    }

    /// <summary>Without parameters, in lower case.</summary>
    public static string MediaTypeOf(string text) => text.Split(';', 2)[0].Trim().ToLowerInvariant();
}

/// <summary>What makes two operations the same one.</summary>
internal static partial class OperationShape
{
    /// <summary><c>GET /orders/{id}</c> → <c>GET /orders/{}</c>.</summary>
    public static string Of(string method, string path) => $"{method} {Parameter().Replace(path, "{}")}";

    /// <summary>Names of the parameters in a template, in their order.</summary>
    public static IEnumerable<string> ParametersOf(string path) => Parameter().Matches(path).Select(static match => match.Value[1..^1]);

    [GeneratedRegex("\\{[^{}/]*\\}", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Parameter();
}

/// <summary>An OpenAPI 3.0 or 3.1 document whose structure was checked.</summary>
internal sealed partial class ApiDocument
{
    private static readonly string[] Methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

    private ApiDocument(DocumentNode root, IReadOnlyList<DocumentOperation> operations) => (Root, Operations) = (root, operations);

    public DocumentNode Root { get; }

    /// <summary>In the order of the document.</summary>
    public IReadOnlyList<DocumentOperation> Operations { get; }

    /// <summary>The document, or everything that is wrong with its structure, with pointers into it.</summary>
    public static (ApiDocument? Document, IReadOnlyList<ProblemError> Problems) Read(JsonElement json)
    {
        var root = DocumentNode.Of(json);
        var problems = new DocumentCheck(root).Run();
        return problems.Count > 0 ? (null, problems) : (new(root, [.. OperationsOf(root)]), []);
    }

    /// <summary>A document that was checked when it was stored.</summary>
    public static ApiDocument? Stored(string? json)
    {
        if (json is null)
        {
            return null;
        }

        using var document = JsonDocument.Parse(json);
        return Read(document.RootElement.Clone()).Document; // an older one may not pass a check that was added since
    }

    private static IEnumerable<DocumentOperation> OperationsOf(DocumentNode root)
    {
        foreach (var (path, item) in root["paths"]!.Value.Members().Where(static path => !IsExtension(path.Name)))
        {
            foreach (var (method, node) in item.Members().Where(static member => Methods.Contains(member.Name)))
            {
                var id = node.Text("operationId");
                yield return new(
                    string.IsNullOrEmpty(id) ? NameFor(method, path) : id, !string.IsNullOrEmpty(id), method.ToUpperInvariant(), path, node,
                    ParametersOf(item, node), node["requestBody"],
                    [.. (node["responses"]?.Members() ?? []).Where(static response => !IsExtension(response.Name))]);
            }
        }
    }

    private static DocumentNode[] ParametersOf(DocumentNode item, DocumentNode operation)
    {
        var parameters = new Dictionary<(string?, string?), DocumentNode>();
        foreach (var parameter in (item["parameters"]?.Items() ?? []).Concat(operation["parameters"]?.Items() ?? []))
        {
            parameters[(parameter.Text("in"), parameter.Text("name"))] = parameter;
        }

        return [.. parameters.Values];
    }

    public static bool IsExtension(string member) => member.StartsWith("x-", StringComparison.Ordinal);

    public static bool IsMethod(string member) => Methods.Contains(member);

    /// <summary>A stable name for an operation that has none: <c>GET /orders/{id}</c> is <c>get-orders-id</c>.</summary>
    private static string NameFor(string method, string path) =>
        (method + NotInName().Replace(path, "-")).ToLowerInvariant().Trim('-');

    [GeneratedRegex("[^A-Za-z0-9]+", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex NotInName();
}
