using System.Text.Json;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>
/// Whether a document is built as OpenAPI 3.0 and 3.1 say, as far as anything here reads it. Foreign input: every kind of value is expected
/// everywhere, and the work is linear in the size of the document.
/// </summary>
internal sealed class DocumentCheck(DocumentNode root)
{
    /// <summary>Values in a document; a large API of thousands of operations has some hundred thousand.</summary>
    public const int MaxValues = 1_000_000;

    /// <summary>Levels of nesting.</summary>
    public const int MaxDepth = 64;

    /// <summary>More problems than these say nothing new.</summary>
    private const int MaxProblems = 50;

    /// <summary>What stands below these is data and no part of the description.</summary>
    private static readonly string[] Data = ["example", "examples", "default", "enum", "const"];

    /// <summary>Members of these have names of their own: <c>default</c> is an answer there, or a property, and no data.</summary>
    private static readonly string[] Named =
    [
        "paths", "responses", "callbacks", "parameters", "requestBodies", "headers", "links", "pathItems", "content", "encoding", "schemas", "securitySchemes", "webhooks",
        "properties", "patternProperties", "dependentSchemas", "$defs", "definitions",
    ];

    /// <summary>Named ones among which extensions stand.</summary>
    private static readonly string[] Extended = ["paths", "responses", "callbacks"];

    private static readonly string[] ParameterPlaces = ["path", "query", "header", "cookie"];
    private static readonly string[] SchemeTypes = ["apiKey", "http", "oauth2", "openIdConnect", "mutualTLS"];

    private readonly List<ProblemError> _problems = [];
    private readonly HashSet<string> _schemes = new(StringComparer.Ordinal);
    private int _values;

    public IReadOnlyList<ProblemError> Run()
    {
        try
        {
            if (Expect(root, JsonValueKind.Object, "must be an OpenAPI document: an object"))
            {
                Walk(root.Value, "", 0, isData: false, named: null);
                if (_problems.Count == 0)
                {
                    Document();
                }
            }
        }
        catch (InvalidOperationException)
        {
            // The only thing that reading a well-formed value can trip over.
            Problem("", "holds half of a surrogate pair: a text that is no Unicode");
        }

        return _problems;
    }

    private void Document()
    {
        var version = root.Text("openapi") ?? "";
        if (!version.StartsWith("3.0.", StringComparison.Ordinal) && !version.StartsWith("3.1.", StringComparison.Ordinal))
        {
            Problem("/openapi", "must be 3.0.x or 3.1.x");
            return;
        }

        if (Member(root, "info", JsonValueKind.Object, isNeeded: true) is { } info)
        {
            Member(info, "title", JsonValueKind.String, isNeeded: true);
            Member(info, "version", JsonValueKind.String, isNeeded: true);
        }

        if (Member(root, "components", JsonValueKind.Object) is { } components && Member(components, "securitySchemes", JsonValueKind.Object) is { } schemes)
        {
            foreach (var (name, scheme) in schemes.Members())
            {
                _schemes.Add(name);
                if (Expect(scheme, JsonValueKind.Object, "must be an object") && !SchemeTypes.Contains(scheme.Text("type")))
                {
                    Problem(scheme.Pointer + "/type", $"must be one of {string.Join(", ", SchemeTypes)}");
                }
            }
        }

        Security(root);
        if (Member(root, "paths", JsonValueKind.Object, isNeeded: true) is { } paths)
        {
            foreach (var (path, item) in paths.Members().Where(static path => !ApiDocument.IsExtension(path.Name)))
            {
                Path(path, item);
            }
        }
    }

    private void Path(string path, DocumentNode item)
    {
        if (!path.StartsWith('/'))
        {
            Problem(item.Pointer, "must start with '/'");
        }

        if (Expect(item, JsonValueKind.Object, "must be an object"))
        {
            Parameters(item);
            foreach (var (_, operation) in item.Members().Where(static member => ApiDocument.IsMethod(member.Name)))
            {
                if (Expect(operation, JsonValueKind.Object, "must be an object"))
                {
                    Operation(operation);
                }
            }
        }
    }

    private void Operation(DocumentNode operation)
    {
        Member(operation, "operationId", JsonValueKind.String);
        Parameters(operation);
        Security(operation);
        if (Member(operation, "requestBody", JsonValueKind.Object) is { } body)
        {
            Content(body, isNeeded: true);
        }

        if (Member(operation, "responses", JsonValueKind.Object) is { } responses)
        {
            foreach (var (status, response) in responses.Members().Where(static member => !ApiDocument.IsExtension(member.Name)))
            {
                if (!IsStatus(status))
                {
                    Problem(response.Pointer, "must be a status such as 200, a range such as 2XX, or default");
                }
                else if (Expect(response, JsonValueKind.Object, "must be an object"))
                {
                    Content(response);
                    foreach (var (_, header) in Member(response, "headers", JsonValueKind.Object)?.Members() ?? [])
                    {
                        Expect(header, JsonValueKind.Object, "must be an object");
                    }
                }
            }
        }
    }

    private void Parameters(DocumentNode owner)
    {
        foreach (var parameter in Member(owner, "parameters", JsonValueKind.Array)?.Items() ?? [])
        {
            if (Expect(parameter, JsonValueKind.Object, "must be an object"))
            {
                Member(parameter, "name", JsonValueKind.String, isNeeded: true);
                if (!ParameterPlaces.Contains(parameter.Text("in")))
                {
                    Problem(parameter.Pointer + "/in", $"must be one of {string.Join(", ", ParameterPlaces)}");
                }

                Schema(parameter);
                Content(parameter);
            }
        }
    }

    private void Content(DocumentNode owner, bool isNeeded = false)
    {
        foreach (var (_, media) in Member(owner, "content", JsonValueKind.Object, isNeeded)?.Members() ?? [])
        {
            if (Expect(media, JsonValueKind.Object, "must be an object"))
            {
                Schema(media);
                Member(media, "examples", JsonValueKind.Object);
            }
        }
    }

    private void Schema(DocumentNode owner)
    {
        if (owner["schema"] is { } schema && !schema.IsObject && schema.Value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
        {
            Problem(schema.Pointer, "must be a schema: an object, true or false");
        }
    }

    private void Security(DocumentNode owner)
    {
        foreach (var alternative in Member(owner, "security", JsonValueKind.Array)?.Items() ?? [])
        {
            if (Expect(alternative, JsonValueKind.Object, "must be an object"))
            {
                foreach (var (name, scopes) in alternative.Members())
                {
                    Expect(scopes, JsonValueKind.Array, "must be a list of scopes, or an empty list");
                    if (!_schemes.Contains(name))
                    {
                        Problem(scopes.Pointer, $"names no security scheme of the document: {name}");
                    }
                }
            }
        }
    }

    private DocumentNode? Member(DocumentNode owner, string name, JsonValueKind kind, bool isNeeded = false)
    {
        if (owner[name] is { } member)
        {
            return Expect(member, kind, $"must be {Word(kind)}") ? member : null;
        }

        if (isNeeded)
        {
            Problem($"{owner.Pointer}/{name}", "is required");
        }

        return null;
    }

    private bool Expect(DocumentNode node, JsonValueKind kind, string message)
    {
        if (node.Value.ValueKind == kind)
        {
            return true;
        }

        Problem(node.Pointer, node.Exists ? message : "refers to itself or to nothing");
        return false;
    }

    /// <summary>Size, depth, texts and references of the whole document.</summary>
    /// <param name="named">Whose members these are, where they have names of their own; otherwise null.</param>
    private void Walk(JsonElement value, string at, int depth, bool isData, string? named)
    {
        if (depth > MaxDepth || ++_values > MaxValues)
        {
            Problem(at, $"is nested deeper than {MaxDepth} levels, or the document has more than {MaxValues:N0} values");
            return;
        }

        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in value.EnumerateObject())
                {
                    var name = member.Name;
                    var pointer = $"{at}/{ProblemExceptionHandler.Escape(name)}";
                    if (name == "$ref" && !isData && member.Value.ValueKind == JsonValueKind.String)
                    {
                        Reference(member.Value.GetString()!, pointer);
                    }

                    var isDataHere = named is null ? Data.Contains(name) || ApiDocument.IsExtension(name) : Extended.Contains(named) && ApiDocument.IsExtension(name);
                    Walk(member.Value, pointer, depth + 1, isData || isDataHere, named is null && Named.Contains(name) ? name : null);
                }

                break;
            case JsonValueKind.Array:
                var i = 0;
                foreach (var item in value.EnumerateArray())
                {
                    Walk(item, $"{at}/{i++}", depth + 1, isData, named: null);
                }

                break;
            case JsonValueKind.String:
                value.GetString(); // throws for what is no Unicode
                break;
        }
    }

    private void Reference(string reference, string pointer)
    {
        if (!reference.StartsWith("#/", StringComparison.Ordinal))
        {
            Problem(pointer, "must begin with #/: a document stands for itself, other files are not fetched");
        }
        else if (root.Find(reference) is not { } target)
        {
            Problem(pointer, $"leads nowhere in the document: {reference}");
        }
        else if (!target.Resolved().Exists)
        {
            Problem(pointer, "refers to itself or to nothing");
        }
    }

    private void Problem(string pointer, string detail)
    {
        if (_problems.Count < MaxProblems)
        {
            _problems.Add(new(pointer, detail));
        }
    }

    private static bool IsStatus(string text) => text == "default"
        || (text.Length == 3 && text[0] is >= '1' and <= '5' && (text.EndsWith("XX", StringComparison.OrdinalIgnoreCase) || (char.IsAsciiDigit(text[1]) && char.IsAsciiDigit(text[2]))));

    private static string Word(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        _ => "a text",
    };
}
