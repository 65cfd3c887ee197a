using System.Text.Json;
using OpenPlatform.Catalog.Apis.Documents;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>What gateways take from a document beside its operations.</summary>
/// <param name="Bodies">They check request bodies against it.</param>
/// <param name="Scopes">They ask for the scopes that it names.</param>
/// <param name="Examples">They keep its examples, to answer with them where <c>mock</c> is on.</param>
internal sealed record DocumentUse(bool Bodies, bool Scopes, bool Examples)
{
    public static DocumentUse Nothing { get; } = new(false, false, false);
}

/// <summary>The part of a request that becomes a revision.</summary>
internal sealed record RevisionParts(
    Guid? BackendId, IReadOnlyList<OperationRequest?>? Operations, JsonElement? OpenApi, JsonElement? Policies, IReadOnlyDictionary<string, JsonElement>? OperationPolicies,
    DocumentUse Use, bool Draft)
{
    /// <summary>Where the document stands in the request; empty when it is the whole request.</summary>
    public string DocumentPointer { get; init; } = "/openApi";
}

/// <summary>A checked request: what goes into the rows.</summary>
/// <param name="Document">The OpenAPI document as JSON, or null.</param>
/// <param name="Findings">What lint says of it.</param>
/// <param name="DocumentPointer">Where it stands in the request.</param>
internal sealed record Publication(
    string Name, string Version, string BasePath, Guid BackendId, IReadOnlyList<OperationModel> Operations, ApiPolicies? Policies,
    string? Document, IReadOnlyList<LintFinding> Findings, bool IsDraft, string DocumentPointer)
{
    /// <summary>Stands for a part that the request does not have because it is in the database, where it was checked.</summary>
    public const string Known = "known";

    public const int MaxOperations = 5_000;

    public static Outcome<Publication> OfRevision(RevisionParts parts) => Of(Known, Known, "/" + Known, parts);

    public static Outcome<Publication> Of(string? name, string? version, string? basePath, RevisionParts parts)
    {
        var check = new RequestCheck();
        Required("/name", name);
        Required("/version", version);
        Required("/basePath", basePath);
        check.Id("/backendId", parts.BackendId);
        if (basePath?.Length > 256)
        {
            check.Add("/basePath", "must be at most 256 characters");
        }

        var policies = PolicyJson.Read(parts.Policies, SnapshotJson.Default.ApiPolicies, "/policies", check);
        if (Import(parts, check) is not { } imported)
        {
            return check.Problem!;
        }

        AddPolicies(parts, imported.Operations, check);
        if (parts.Use != DocumentUse.Nothing)
        {
            policies = AddDescribed(parts.Use, imported, policies, check);
        }

        var candidate = new ApiModel(
            Guid.CreateVersion7(), name ?? Known, version ?? Known, Guid.CreateVersion7(), 1, basePath ?? "/" + Known, Guid.CreateVersion7(),
            [.. imported.Operations.Select(static operation => operation.Model)])
        {
            Policies = policies,
        };
        check.Snapshot(Alone(candidate), pointer => imported.InTermsOfRequest(pointer));
        if (check.Problem is { } problem)
        {
            return problem;
        }

        // A draft may be wrong by the rules, as long as it can be read.
        if (!parts.Draft && imported.Errors() is { Count: > 0 } errors)
        {
            return CatalogProblem.Invalid(errors);
        }

        return new Publication(
            name!, version!, basePath!, parts.BackendId!.Value, candidate.Operations, policies, imported.Json, imported.Findings, parts.Draft, parts.DocumentPointer);

        void Required(string pointer, string? value)
        {
            if (value is null)
            {
                check.Add(pointer, "is required");
            }
        }
    }

    /// <summary>A pointer into the snapshot, below the version, as one into the request; null: not about what a request says.</summary>
    /// <param name="pointer">Such as <c>/policies/cors/origins/0</c>.</param>
    public static string? InRequestOrNull(string pointer) =>
        ((string[])["/basePath", "/backendId", "/policies", "/version"]).Any(member => pointer.StartsWith(member, StringComparison.Ordinal)) ? pointer : null;

    /// <summary>The operations and where each stands in the request; null when there is nothing to go on with.</summary>
    private static ImportedRevision? Import(RevisionParts parts, RequestCheck check)
    {
        if ((parts.Operations is null) == (parts.OpenApi is null))
        {
            check.Add("/operations", "give either operations or openApi, a document to take them from");
            return null;
        }

        var imported = parts.Operations is { } operations
            ? new ImportedRevision([.. operations.Select((o, i) => new ImportedOperation(Model(o, $"/operations/{i}"), $"/operations/{i}", null))], null, null, [], "")
            : ImportedRevision.OfDocument(parts.OpenApi!.Value, parts.DocumentPointer, check);
        if (imported is { Operations.Length: 0 or > MaxOperations })
        {
            check.Add(parts.Operations is not null ? "/operations" : parts.DocumentPointer + "/paths", $"must be 1 to {MaxOperations} operations");
            return null;
        }

        return imported;

        OperationModel Model(OperationRequest? operation, string at) => new(operation?.OperationId ?? "", operation?.Method ?? "", operation?.PathTemplate ?? "")
        {
            Policies = PolicyJson.Read(operation?.Policies, SnapshotJson.Default.OperationPolicies, at + "/policies", check),
        };
    }

    private static void AddPolicies(RevisionParts parts, ImportedOperation[] operations, RequestCheck check)
    {
        foreach (var (id, json) in parts.OperationPolicies ?? new Dictionary<string, JsonElement>())
        {
            var at = "/operationPolicies/" + ProblemExceptionHandler.Escape(id);
            var index = Array.FindIndex(operations, operation => operation.Model.OperationId == id);
            if (index < 0)
            {
                check.Add(at, $"names no operation: {id}");
            }
            else if (operations[index].Model.Policies is not null)
            {
                check.Add(at, "has policies in its place in /operations already");
            }
            else
            {
                var policies = PolicyJson.Read(json, SnapshotJson.Default.OperationPolicies, at, check);
                operations[index] = operations[index] with { Model = operations[index].Model with { Policies = policies }, PoliciesPointer = at };
            }
        }
    }

    /// <summary>What the document says, where the request does not say something else.</summary>
    private static ApiPolicies? AddDescribed(DocumentUse use, ImportedRevision imported, ApiPolicies? policies, RequestCheck check)
    {
        if (imported.Document is not { } document)
        {
            check.Add("/openApi", "is needed: a document that says what bodies, scopes and answers there are");
            return policies;
        }

        for (var i = 0; i < imported.Operations.Length; i++)
        {
            var operation = imported.Operations[i];
            var own = operation.Model.Policies ?? new();
            var all = DocumentImport.Policies(document, operation.Described!, use, own);
            imported.Operations[i] = operation with
            {
                Model = operation.Model with { Policies = all == new OperationPolicies() ? null : all },
                HasOwnSchema = own.RequestSchema is not null,
            };
        }

        return !use.Bodies || policies?.Schemas is not null ? policies
            : DocumentImport.RequestSchemas(document) is { } schemas ? (policies ?? new()) with { Schemas = imported.SchemasOfDocument(schemas) } : policies;
    }

    /// <summary>A snapshot of this version alone, where everything that its policies refer to is there: whether it really is, the write finds out.</summary>
    private static Snapshot Alone(ApiModel api)
    {
        var backends = (api.Policies?.Split?.Variants ?? []).Select(static variant => variant?.BackendId)
            .Append(api.Policies?.Degradation?.AlternateBackendId).Append(api.BackendId).OfType<Guid>().Where(static id => id != Guid.Empty).Distinct();
        var applications = (api.Policies?.Split?.Variants ?? []).SelectMany(static variant => variant?.Applications ?? []).Where(static id => id != Guid.Empty).Distinct();
        return Snapshot.Empty with
        {
            Apis = [api],
            Backends = [.. backends.Select(static id => new BackendModel(id, Known, Known, []))],
            Applications = [.. applications.Select(static id => new ApplicationModel(id, id, Known, false))],
        };
    }
}
