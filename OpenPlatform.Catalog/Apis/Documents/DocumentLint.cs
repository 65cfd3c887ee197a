using System.Text.Json;
using System.Text.Json.Serialization;
using OpenPlatform.Contracts.Schemas;

namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>What a finding means for publishing.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LintSeverity>))]
public enum LintSeverity
{
    /// <summary>Is answered and kept with the revision.</summary>
    [JsonStringEnumMemberName("warning")]
    Warning,

    /// <summary>Refuses the document.</summary>
    [JsonStringEnumMemberName("error")]
    Error,
}

/// <summary>One thing that a rule has to say about a document.</summary>
/// <param name="Rule">Id of the rule, docs/publishing.md.</param>
/// <param name="Pointer">Into the document.</param>
public sealed record LintFinding(string Rule, LintSeverity Severity, string Pointer, string Detail);

/// <summary>A rule about documents.</summary>
internal sealed record LintRule(string Id, LintSeverity Severity, string Explanation);

/// <summary>All rules about documents; docs/publishing.md shows the same table, and a test compares the two.</summary>
internal static class LintRules
{
    public static readonly LintRule ParameterUndeclared = Error("path-parameter-undeclared", "a parameter in a path is not declared");
    public static readonly LintRule ParameterUnused = Error("path-parameter-unused", "a declared path parameter is not in the path");
    public static readonly LintRule ParameterOptional = Error("path-parameter-optional", "a path parameter is not `required: true`");
    public static readonly LintRule ParameterTwice = Error("parameter-duplicate", "a list of parameters has one twice");
    public static readonly LintRule OperationIdTwice = Error("operation-id-duplicate", "two operations have the same `operationId`");
    public static readonly LintRule TrailingSlash = Error("path-trailing-slash", "a path ends with a slash");
    public static readonly LintRule PathQuery = Error("path-has-query", "a path holds a query or a fragment");
    public static readonly LintRule EnumTwice = Error("enum-duplicate", "an enumeration has a value twice");
    public static readonly LintRule OperationIdMissing = Warning("operation-id-missing", "an operation has no `operationId`; one is made of method and path");
    public static readonly LintRule OperationUndescribed = Warning("operation-description-missing", "an operation has neither summary nor description");
    public static readonly LintRule DocumentUndescribed = Warning("info-description-missing", "the document does not describe the API");
    public static readonly LintRule NoSuccess = Warning("success-response-missing", "an operation has no answer 2xx, 3xx or default");
    public static readonly LintRule NoResponseSchema = Warning("response-schema-missing", "a JSON answer 2xx has no schema");
    public static readonly LintRule BodyOfGet = Warning("get-has-body", "GET, HEAD or DELETE has a request body");
    public static readonly LintRule ArrayOfAnything = Warning("array-items-missing", "a list in a schema does not say what is in it");
    public static readonly LintRule RequiredUndeclared = Warning("required-property-undeclared", "a required property is not among the properties");
    public static readonly LintRule BadExample = Warning("example-invalid", "an example does not match its schema");
    public static readonly LintRule Unsecured = Warning("security-missing", "an operation asks for no security at all");

    public static IReadOnlyList<LintRule> All { get; } =
    [
        ParameterUndeclared, ParameterUnused, ParameterOptional, ParameterTwice, OperationIdTwice, TrailingSlash, PathQuery, EnumTwice,
        OperationIdMissing, OperationUndescribed, DocumentUndescribed, NoSuccess, NoResponseSchema, BodyOfGet, ArrayOfAnything, RequiredUndeclared, BadExample, Unsecured,
    ];

    private static LintRule Error(string id, string explanation) => new(id, LintSeverity.Error, explanation);

    private static LintRule Warning(string id, string explanation) => new(id, LintSeverity.Warning, explanation);
}

/// <summary>Runs the rules over a document.</summary>
internal sealed class DocumentLint
{
    /// <summary>More findings than these say nothing new; errors come before warnings.</summary>
    private const int MaxFindings = 200;

    private readonly ApiDocument _document;
    private readonly List<LintFinding> _findings = [];
    private readonly HashSet<string> _schemasSeen = new(StringComparer.Ordinal);
    private readonly Dictionary<string, JsonElement> _definitions;

    private DocumentLint(ApiDocument document)
    {
        _document = document;
        _definitions = (document.Root["components"]?["schemas"]?.Members() ?? []).ToDictionary(static schema => schema.Name, static schema => schema.Node.Value, StringComparer.Ordinal);
    }

    public static IReadOnlyList<LintFinding> Run(ApiDocument document)
    {
        var lint = new DocumentLint(document);
        lint.Document();
        return [.. lint._findings.OrderByDescending(static finding => finding.Severity).Take(MaxFindings)];
    }

    private void Document()
    {
        if (string.IsNullOrWhiteSpace(_document.Root["info"]?.Text("description")))
        {
            Add(LintRules.DocumentUndescribed, "/info", "say in description what the API is for");
        }

        var ids = new HashSet<string>(StringComparer.Ordinal);
        foreach (var operation in _document.Operations)
        {
            Operation(operation, ids);
        }

        foreach (var (path, item) in _document.Root["paths"]!.Value.Members())
        {
            if (path.Length > 1 && path.EndsWith('/'))
            {
                Add(LintRules.TrailingSlash, item.Pointer, "leave the last slash out: gateways match paths exactly");
            }

            if (path.AsSpan().ContainsAny('?', '#'))
            {
                Add(LintRules.PathQuery, item.Pointer, "declare query parameters in parameters");
            }

            Duplicates(item);
        }

        foreach (var (_, schema) in _document.Root["components"]?["schemas"]?.Members() ?? [])
        {
            Schema(schema, 0);
        }
    }

    private void Operation(DocumentOperation operation, HashSet<string> ids)
    {
        var at = operation.Node.Pointer;
        if (!operation.IsNamed)
        {
            Add(LintRules.OperationIdMissing, at, $"is called {operation.OperationId} until it says another operationId");
        }

        if (!ids.Add(operation.OperationId))
        {
            Add(LintRules.OperationIdTwice, at + "/operationId", $"another operation is called {operation.OperationId}");
        }

        if (string.IsNullOrWhiteSpace(operation.Node.Text("summary")) && string.IsNullOrWhiteSpace(operation.Node.Text("description")))
        {
            Add(LintRules.OperationUndescribed, at, "say in summary what it does");
        }

        if (!operation.Responses.Any(static response => response.Status[0] is '2' or '3' or 'd'))
        {
            Add(LintRules.NoSuccess, at + "/responses", "say what is answered when all is well");
        }

        if (operation is { RequestBody: { } body, Method: "GET" or "HEAD" or "DELETE" })
        {
            Add(LintRules.BodyOfGet, body.Pointer, $"{operation.Method} has no body (RFC 9110, 9.3)");
        }

        if (SecurityRequirement.Of(_document, operation).Any(static alternative => alternative.Schemes.Count == 0))
        {
            Add(LintRules.Unsecured, at, "gateways ask for a credential in any case; say which in security");
        }

        Parameters(operation);
        Duplicates(operation.Node);
        Bodies(operation);
    }

    private void Parameters(DocumentOperation operation)
    {
        var inPath = OperationShape.ParametersOf(operation.Path).ToHashSet(StringComparer.Ordinal);
        foreach (var parameter in operation.Parameters.Where(static parameter => parameter.Text("in") == "path"))
        {
            var name = parameter.Text("name")!;
            if (!inPath.Remove(name))
            {
                Add(LintRules.ParameterUnused, parameter.Pointer, $"{operation.Path} has no {{{name}}}");
            }

            if (!parameter.Flag("required"))
            {
                Add(LintRules.ParameterOptional, parameter.Pointer, $"say required: true: a path without {name} is another path");
            }
        }

        foreach (var name in inPath)
        {
            Add(LintRules.ParameterUndeclared, operation.Node.Pointer, $"declare the parameter {name} of {operation.Path}");
        }

        foreach (var parameter in operation.Parameters)
        {
            Media(parameter);
        }
    }

    private void Duplicates(DocumentNode owner)
    {
        var seen = new HashSet<(string?, string?)>();
        foreach (var parameter in owner["parameters"]?.Items() ?? [])
        {
            if (!seen.Add((parameter.Text("in"), parameter.Text("name"))))
            {
                Add(LintRules.ParameterTwice, parameter.Pointer, $"{parameter.Text("in")} parameter {parameter.Text("name")} is there already");
            }
        }
    }

    private void Bodies(DocumentOperation operation)
    {
        foreach (var (_, media) in operation.RequestBody?["content"]?.Members() ?? [])
        {
            Media(media);
        }

        foreach (var (status, response) in operation.Responses)
        {
            foreach (var (_, media) in response["content"]?.Members() ?? [])
            {
                Media(media);
            }

            if (status[0] == '2' && DocumentOperation.JsonContent(response) is { } json && json.Raw("schema") is null)
            {
                Add(LintRules.NoResponseSchema, json.Pointer, "say in schema what the answer looks like");
            }
        }
    }

    /// <summary>A schema with its examples: a media type or a parameter.</summary>
    private void Media(DocumentNode owner)
    {
        if (owner.Raw("schema") is not { } schema)
        {
            return;
        }

        Schema(schema.Resolved(), 0);
        var examples = new[] { owner.Raw("example") }.Concat((owner["examples"]?.Members() ?? []).Select(static example => example.Node.Raw("value")));
        foreach (var example in examples.OfType<DocumentNode>())
        {
            Example(schema.Value, example);
        }
    }

    private void Schema(DocumentNode schema, int depth)
    {
        if (!schema.IsObject || depth > DocumentCheck.MaxDepth || !_schemasSeen.Add(schema.Pointer))
        {
            return;
        }

        if (schema.Raw("enum") is { IsArray: true } values)
        {
            var seen = new HashSet<string>(StringComparer.Ordinal);
            foreach (var value in values.Value.EnumerateArray().Select(static (value, i) => (Text: value.GetRawText(), i)).Where(value => !seen.Add(value.Text)))
            {
                Add(LintRules.EnumTwice, $"{values.Pointer}/{value.i}", $"{value.Text} is there already");
            }
        }

        if (schema.Text("type") == "array" && schema.Raw("items") is null)
        {
            Add(LintRules.ArrayOfAnything, schema.Pointer, "say in items what the list holds");
        }

        var properties = schema["properties"];
        foreach (var name in properties is null ? [] : schema.Texts("required").Where(name => properties.Value.Raw(name) is null))
        {
            Add(LintRules.RequiredUndeclared, schema.Pointer + "/required", $"{name} is required but not described");
        }

        if (schema.Raw("example") is { } example)
        {
            Example(schema.Value, example);
        }

        foreach (var (_, property) in properties?.Members() ?? [])
        {
            Schema(property, depth + 1);
        }

        foreach (var part in (string[])["items", "additionalProperties"])
        {
            Schema(schema[part] ?? default, depth + 1);
        }

        foreach (var part in (string[])["allOf", "anyOf", "oneOf"])
        {
            foreach (var item in schema[part]?.Items() ?? [])
            {
                Schema(item, depth + 1);
            }
        }
    }

    /// <summary>With what gateways check bodies with; a schema that says more than they know is passed over.</summary>
    private void Example(JsonElement schema, DocumentNode example)
    {
        var isKnown = true;
        var read = new JsonSchemaReader(_definitions, "", (_, _) => isKnown = false).Read(schema, "");
        if (isKnown && read.Validate(example.Value) is [var first, ..])
        {
            Add(LintRules.BadExample, example.Pointer + first.Pointer, first.Detail);
        }
    }

    private void Add(LintRule rule, string pointer, string detail)
    {
        // Errors are never lost to a heap of warnings.
        if (_findings.Count < MaxFindings || rule.Severity == LintSeverity.Error)
        {
            _findings.Add(new(rule.Id, rule.Severity, pointer, detail));
        }
    }
}
