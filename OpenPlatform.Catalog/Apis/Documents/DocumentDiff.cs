namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>A difference between two revisions.</summary>
/// <param name="Rule">Id of the rule, docs/publishing.md.</param>
/// <param name="Breaking">True: a caller that worked with the earlier one may not work with the later one.</param>
/// <param name="Pointer">Into the later document, or the earlier one for what is gone; without a document empty.</param>
public sealed record RevisionChange(string Rule, bool Breaking, string Pointer, string Detail);

/// <summary>A rule about two documents.</summary>
internal sealed record DiffRule(string Id, bool Breaking, string Explanation);

/// <summary>All rules about two documents; docs/publishing.md shows the same table, and a test compares the two.</summary>
internal static class DiffRules
{
    public static readonly DiffRule OperationRemoved = Breaking("operation-removed", "an operation is gone");
    public static readonly DiffRule ParameterAdded = Breaking("parameter-required-added", "a new parameter is required");
    public static readonly DiffRule ParameterRequired = Breaking("parameter-became-required", "an optional parameter is required now");
    public static readonly DiffRule BodyRequired = Breaking("request-body-required", "a body is required now");
    public static readonly DiffRule RequestMediaTypeRemoved = Breaking("request-media-type-removed", "a media type of the request is gone");
    public static readonly DiffRule RequestTypeNarrowed = Breaking("request-type-narrowed", "a value of the request may have fewer types");
    public static readonly DiffRule RequestEnumNarrowed = Breaking("request-enum-value-removed", "a value of the request is allowed no more");
    public static readonly DiffRule RequestPropertyRequired = Breaking("request-property-required", "a property of the request is required now");
    public static readonly DiffRule RequestPropertyRefused = Breaking("request-property-refused", "a property of the request is gone, or one that is not described was allowed, and others are not allowed now");
    public static readonly DiffRule RequestBoundTightened = Breaking("request-bound-tightened", "a limit of a value of the request is tighter");
    public static readonly DiffRule RequestPatternChanged = Breaking("request-pattern-changed", "a text of the request must match another pattern or format");
    public static readonly DiffRule RequestAlternativeRemoved = Breaking("request-alternative-removed", "an alternative (`oneOf`, `anyOf`) of the request is gone");
    public static readonly DiffRule ResponseRemoved = Breaking("response-removed", "an answer 2xx is gone");
    public static readonly DiffRule ResponseMediaTypeRemoved = Breaking("response-media-type-removed", "a media type of an answer is gone");
    public static readonly DiffRule ResponseHeaderRemoved = Breaking("response-header-removed", "a header of an answer is gone");
    public static readonly DiffRule ResponseTypeWidened = Breaking("response-type-widened", "a value of an answer may have more types");
    public static readonly DiffRule ResponseEnumWidened = Breaking("response-enum-value-added", "a value of an answer may be one more");
    public static readonly DiffRule ResponsePropertyRemoved = Breaking("response-property-removed", "a property of an answer is gone");
    public static readonly DiffRule ResponsePropertyOptional = Breaking("response-property-optional", "a property of an answer may be absent now");
    public static readonly DiffRule ResponseFormatChanged = Breaking("response-format-changed", "a text or number of an answer has another format");
    public static readonly DiffRule ResponseAlternativeAdded = Breaking("response-alternative-added", "an answer has one more alternative (`oneOf`, `anyOf`)");
    public static readonly DiffRule SecurityTightened = Breaking("security-tightened", "a credential or scope that was enough is not enough any more");
    public static readonly DiffRule TooComplex = Breaking("schemas-too-complex", "the schemas refer to each other so much that they were not compared to the end");
    public static readonly DiffRule OperationAdded = Harmless("operation-added", "an operation is new");
    public static readonly DiffRule ParameterOptionalAdded = Harmless("parameter-added", "an optional parameter is new");
    public static readonly DiffRule ParameterRemoved = Harmless("parameter-removed", "a parameter is gone; sending it does nothing");
    public static readonly DiffRule RequestMediaTypeAdded = Harmless("request-media-type-added", "a media type of the request is new");
    public static readonly DiffRule RequestPropertyAdded = Harmless("request-property-added", "an optional property of the request is new");
    public static readonly DiffRule ResponseAdded = Harmless("response-added", "an answer is new");
    public static readonly DiffRule ResponsePropertyAdded = Harmless("response-property-added", "a property of an answer is new");

    public static IReadOnlyList<DiffRule> All { get; } =
    [
        OperationRemoved, ParameterAdded, ParameterRequired, BodyRequired, RequestMediaTypeRemoved, RequestTypeNarrowed, RequestEnumNarrowed, RequestPropertyRequired,
        RequestPropertyRefused, RequestBoundTightened, RequestPatternChanged, RequestAlternativeRemoved, ResponseRemoved, ResponseMediaTypeRemoved, ResponseHeaderRemoved,
        ResponseTypeWidened, ResponseEnumWidened, ResponsePropertyRemoved, ResponsePropertyOptional, ResponseFormatChanged, ResponseAlternativeAdded, SecurityTightened, TooComplex,
        OperationAdded, ParameterOptionalAdded, ParameterRemoved, RequestMediaTypeAdded, RequestPropertyAdded, ResponseAdded, ResponsePropertyAdded,
    ];

    private static DiffRule Breaking(string id, string explanation) => new(id, true, explanation);

    private static DiffRule Harmless(string id, string explanation) => new(id, false, explanation);
}

/// <summary>One operation of a revision: from its rows, and what its document says of it if there is one.</summary>
internal sealed record DiffedOperation(string Method, string PathTemplate, DocumentOperation? Described)
{
    public string Shape { get; } = OperationShape.Of(Method, PathTemplate);
}

/// <summary>A revision as far as it is compared.</summary>
internal sealed record DiffedRevision(IReadOnlyList<DiffedOperation> Operations, ApiDocument? Document)
{
    public static DiffedRevision Of(IEnumerable<(string Method, string PathTemplate)> operations, ApiDocument? document)
    {
        var described = document?.Operations.GroupBy(static operation => operation.Shape, StringComparer.Ordinal).ToDictionary(static shape => shape.Key, static shape => shape.First(), StringComparer.Ordinal);
        return new([.. operations.Select(o => new DiffedOperation(o.Method, o.PathTemplate, described?.GetValueOrDefault(OperationShape.Of(o.Method, o.PathTemplate))))], document);
    }
}

/// <summary>What changes for callers from one revision to another.</summary>
internal sealed class DocumentDiff
{
    /// <summary>More changes than these say nothing new; breaking ones come first.</summary>
    private const int MaxChanges = 500;

    private readonly ChangeList _changes = new();
    private readonly DiffedRevision _old;
    private readonly DiffedRevision _new;

    private DocumentDiff(DiffedRevision old, DiffedRevision @new) => (_old, _new) = (old, @new);

    /// <summary>The changes, those that break callers first.</summary>
    public static IReadOnlyList<RevisionChange> Between(DiffedRevision old, DiffedRevision @new)
    {
        var diff = new DocumentDiff(old, @new);
        diff.Operations();
        return [.. diff._changes.OrderByDescending(static change => change.Breaking).Take(MaxChanges)];
    }

    private void Operations()
    {
        var now = _new.Operations.GroupBy(static operation => operation.Shape, StringComparer.Ordinal).ToDictionary(static shape => shape.Key, static shape => shape.First(), StringComparer.Ordinal);
        var before = _old.Operations.Select(static operation => operation.Shape).ToHashSet(StringComparer.Ordinal);
        foreach (var operation in _old.Operations)
        {
            if (!now.TryGetValue(operation.Shape, out var other))
            {
                _changes.Add(DiffRules.OperationRemoved, operation.Described?.Node.Pointer ?? "", $"{operation.Method} {operation.PathTemplate} is gone");
            }
            else if (operation.Described is { } from && other.Described is { } to)
            {
                Operation(from, to);
            }
        }

        foreach (var operation in _new.Operations.Where(operation => !before.Contains(operation.Shape)))
        {
            _changes.Add(DiffRules.OperationAdded, operation.Described?.Node.Pointer ?? "", $"{operation.Method} {operation.PathTemplate} is new");
        }
    }

    private void Operation(DocumentOperation old, DocumentOperation @new)
    {
        // A schema that several operations share is compared for each of them, because each breaks; within one it is compared once.
        var schemas = new SchemaDiff(_changes);
        Parameters(old, @new, schemas);
        RequestBody(old, @new, schemas);
        Responses(old, @new, schemas);
        foreach (var alternative in SecurityRequirement.Of(_old.Document!, old))
        {
            if (!SecurityRequirement.Of(_new.Document!, @new).Any(now => now.IsSatisfiedBy(alternative)))
            {
                var was = alternative.Schemes.Count == 0 ? "no credential" : string.Join(" and ", alternative.Schemes.Select(static s => s.Value.Count == 0 ? s.Key : $"{s.Key} ({string.Join(", ", s.Value)})"));
                _changes.Add(DiffRules.SecurityTightened, @new.Node.Pointer, $"{was} was enough");
            }
        }
    }

    private void Parameters(DocumentOperation old, DocumentOperation @new, SchemaDiff schemas)
    {
        var before = ByKey(old);
        var now = ByKey(@new);
        foreach (var (key, parameter) in now)
        {
            if (!before.TryGetValue(key, out var other))
            {
                _changes.Add(parameter.Flag("required") ? DiffRules.ParameterAdded : DiffRules.ParameterOptionalAdded, parameter.Pointer, $"{key.In} parameter {parameter.Text("name")} is new");
                continue;
            }

            if (parameter.Flag("required") && !other.Flag("required"))
            {
                _changes.Add(DiffRules.ParameterRequired, parameter.Pointer, $"{key.In} parameter {parameter.Text("name")} is required now");
            }

            if (other.Raw("schema") is { } from && parameter.Raw("schema") is { } to)
            {
                schemas.Compare(from, to, isResponse: false);
            }
        }

        foreach (var (key, parameter) in before.Where(parameter => !now.ContainsKey(parameter.Key)))
        {
            _changes.Add(DiffRules.ParameterRemoved, parameter.Pointer, $"{key.In} parameter {parameter.Text("name")} is gone");
        }
    }

    /// <summary>A path parameter is known by its place in the path: its name is nobody's business but the document's. Names of headers have no case.</summary>
    private static Dictionary<(string In, string Name), DocumentNode> ByKey(DocumentOperation operation)
    {
        var places = OperationShape.ParametersOf(operation.Path).ToList();
        var parameters = new Dictionary<(string, string), DocumentNode>();
        foreach (var parameter in operation.Parameters)
        {
            var (where, name) = (parameter.Text("in")!, parameter.Text("name")!);
            parameters[(where, where switch { "path" => $"{places.IndexOf(name)}", "header" => name.ToLowerInvariant(), _ => name })] = parameter;
        }

        return parameters;
    }

    private void RequestBody(DocumentOperation old, DocumentOperation @new, SchemaDiff schemas)
    {
        if (@new.RequestBody is { } now && now.Flag("required") && old.RequestBody?.Flag("required") != true)
        {
            _changes.Add(DiffRules.BodyRequired, now.Pointer, "a request without a body was accepted");
        }

        Content(old.RequestBody, @new.RequestBody, @new.Node.Pointer, DiffRules.RequestMediaTypeRemoved, DiffRules.RequestMediaTypeAdded, schemas, isResponse: false);
    }

    private void Responses(DocumentOperation old, DocumentOperation @new, SchemaDiff schemas)
    {
        foreach (var (status, response) in old.Responses)
        {
            if (@new.Responses.FirstOrDefault(other => other.Status == status) is { Status: not null } match)
            {
                Content(response, match.Response, match.Response.Pointer, DiffRules.ResponseMediaTypeRemoved, null, schemas, isResponse: true);
                foreach (var (header, node) in response["headers"]?.Members() ?? [])
                {
                    if (!(match.Response["headers"]?.Members() ?? []).Any(other => other.Name.Equals(header, StringComparison.OrdinalIgnoreCase)))
                    {
                        _changes.Add(DiffRules.ResponseHeaderRemoved, node.Pointer, $"{header} is gone");
                    }
                }
            }
            else if (status[0] == '2')
            {
                _changes.Add(DiffRules.ResponseRemoved, response.Pointer, $"{status} is gone");
            }
        }

        foreach (var (status, response) in @new.Responses.Where(response => old.Responses.All(other => other.Status != response.Status)))
        {
            _changes.Add(DiffRules.ResponseAdded, response.Pointer, $"{status} is new");
        }
    }

    private void Content(DocumentNode? old, DocumentNode? @new, string at, DiffRule removed, DiffRule? added, SchemaDiff schemas, bool isResponse)
    {
        var before = Types(old);
        var now = Types(@new);
        foreach (var (type, media) in before)
        {
            if (!now.TryGetValue(type, out var other))
            {
                _changes.Add(removed, @new?.Pointer ?? at, $"{type} is gone");
            }
            else if (media.Raw("schema") is { } from && other.Raw("schema") is { } to)
            {
                schemas.Compare(from, to, isResponse);
            }
        }

        foreach (var (type, media) in added is null ? [] : now.Where(type => !before.ContainsKey(type.Key)))
        {
            _changes.Add(added!, media.Pointer, $"{type} is new");
        }

        static Dictionary<string, DocumentNode> Types(DocumentNode? owner)
        {
            var types = new Dictionary<string, DocumentNode>(StringComparer.Ordinal);
            foreach (var (type, media) in owner?["content"]?.Members() ?? [])
            {
                types[DocumentOperation.MediaTypeOf(type)] = media;
            }

            return types;
        }
    }
}

/// <summary>The changes that were found, each once.</summary>
internal sealed class ChangeList : IEnumerable<RevisionChange>
{
    /// <summary>Far more than are shown, far less than a hostile document could make.</summary>
    private const int Most = 5_000;

    private readonly HashSet<RevisionChange> _seen = [];
    private readonly List<RevisionChange> _changes = [];

    public int Count => _changes.Count;

    public void Add(DiffRule rule, string pointer, string detail)
    {
        var change = new RevisionChange(rule.Id, rule.Breaking, pointer, detail);
        if ((_changes.Count < Most || rule.Breaking && _changes.Count < 2 * Most) && _seen.Add(change))
        {
            _changes.Add(change);
        }
    }

    public IEnumerator<RevisionChange> GetEnumerator() => _changes.GetEnumerator();

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
}
