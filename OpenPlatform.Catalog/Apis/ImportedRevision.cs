using System.Text.Json;
using OpenPlatform.Catalog.Apis.Documents;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>One operation of a request.</summary>
/// <param name="Pointer">Where it stands in the request.</param>
/// <param name="Described">What the document says of it; null: it stands in a list.</param>
/// <param name="PoliciesPointer">Where its policies stand, when that is elsewhere.</param>
/// <param name="HasOwnSchema">True: its schema is not the document's.</param>
internal sealed record ImportedOperation(OperationModel Model, string Pointer, DocumentOperation? Described, string? PoliciesPointer = null, bool HasOwnSchema = false);

/// <summary>What a request says of a revision's operations, and how to speak about it in terms of the request.</summary>
/// <param name="Json">The document as it is stored.</param>
/// <param name="At">Where the document stands in the request.</param>
internal sealed record ImportedRevision(ImportedOperation[] Operations, ApiDocument? Document, string? Json, IReadOnlyList<LintFinding> Findings, string At)
{
    private bool _schemasAreOfDocument;

    /// <summary>Null when the document cannot be read, with the reasons in <paramref name="check"/>.</summary>
    public static ImportedRevision? OfDocument(JsonElement member, string at, RequestCheck check)
    {
        var (json, reason) = DocumentText.Read(member);
        if (json is not { } read)
        {
            check.Add(at, reason!);
            return null;
        }

        var (document, problems) = ApiDocument.Read(read);
        foreach (var problem in problems)
        {
            check.Add(at + problem.Pointer, problem.Detail);
        }

        return document is null ? null : new(
            [.. document.Operations.Select(operation => new ImportedOperation(new(operation.OperationId, operation.Method, operation.Path), at + operation.Node.Pointer, operation))],
            document, read.GetRawText(), DocumentLint.Run(document), at);
    }

    /// <summary>Findings that refuse a publication, with pointers into the request.</summary>
    public IReadOnlyList<ProblemError> Errors() => ErrorsOf(Findings, At);

    public static IReadOnlyList<ProblemError> ErrorsOf(IEnumerable<LintFinding> findings, string at) =>
        [.. findings.Where(static finding => finding.Severity == LintSeverity.Error).Select(finding => new ProblemError(at + finding.Pointer, $"{finding.Rule}: {finding.Detail}"))];

    /// <summary>Notes that these are the document's schemas, so that what is wrong with one is found there.</summary>
    public IReadOnlyDictionary<string, JsonElement> SchemasOfDocument(IReadOnlyDictionary<string, JsonElement> schemas)
    {
        _schemasAreOfDocument = true;
        return schemas;
    }

    /// <summary>A pointer into a snapshot of this version alone as one into the request; null: not about this request.</summary>
    public string? InTermsOfRequest(string pointer)
    {
        const string Version = "/apis/0", Prefix = "/apis/0/operations/", Schemas = "/apis/0/policies/schemas";
        if (_schemasAreOfDocument && pointer.StartsWith(Schemas, StringComparison.Ordinal))
        {
            return $"{At}/components/schemas{pointer[Schemas.Length..]}";
        }

        if (!pointer.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return pointer.StartsWith(Version, StringComparison.Ordinal) ? pointer[Version.Length..] : null;
        }

        var rest = pointer[Prefix.Length..].Split('/', 2);
        return OfOperation(Operations[int.Parse(rest[0])], rest[1]);
    }

    private string OfOperation(ImportedOperation operation, string member)
    {
        const string Policies = "policies", Schema = "policies/requestSchema", Body = "policies/body";
        if (operation.Described is { } described && !operation.HasOwnSchema)
        {
            if (member.StartsWith(Schema, StringComparison.Ordinal))
            {
                return At + described.JsonRequest!.Value.Pointer + member[Schema.Length..];
            }

            if (member.StartsWith(Body, StringComparison.Ordinal) && operation.PoliciesPointer is null)
            {
                return At + described.RequestBody!.Value.Pointer;
            }
        }

        if (member.StartsWith(Policies, StringComparison.Ordinal) && operation.PoliciesPointer is { } policies)
        {
            return policies + member[Policies.Length..];
        }

        // In a document the path and method are not members but the way to the operation.
        return operation.Described is not null && member != "operationId" ? operation.Pointer : $"{operation.Pointer}/{member}";
    }
}
