using System.Text.Json;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>The part of a request that becomes a revision.</summary>
internal sealed record RevisionParts(
    Guid? BackendId, IReadOnlyList<OperationRequest?>? Operations, JsonElement? OpenApi, JsonElement? Policies, IReadOnlyDictionary<string, JsonElement>? OperationPolicies);

/// <summary>A checked request to publish: what goes into the rows.</summary>
/// <param name="Document">The OpenAPI document as it came, or null.</param>
internal sealed record Publication(
    string Name, string Version, string BasePath, Guid BackendId, IReadOnlyList<OperationModel> Operations, ApiPolicies? Policies, string? Document)
{
    /// <summary>Stands for a part that the request does not have because it is in the database, where it was checked.</summary>
    public const string Known = "known";

    public const int MaxOperations = 5_000;

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

        AddPolicies(parts, imported, check);
        var candidate = new ApiModel(
            Guid.CreateVersion7(), name ?? Known, version ?? Known, Guid.CreateVersion7(), 1, basePath ?? "/" + Known, Guid.CreateVersion7(),
            [.. imported.Select(static operation => operation.Model)])
        {
            Policies = policies,
        };
        check.Snapshot(Alone(candidate), pointer => InTermsOfRequest(pointer, imported));

        return check.Problem is { } problem
            ? problem
            : new Publication(name!, version!, basePath!, parts.BackendId!.Value, candidate.Operations, policies, parts.OpenApi?.GetRawText());

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
        pointer.StartsWith("/basePath", StringComparison.Ordinal) || pointer.StartsWith("/backendId", StringComparison.Ordinal)
        || pointer.StartsWith("/policies", StringComparison.Ordinal) || pointer.StartsWith("/version", StringComparison.Ordinal) ? pointer : null;

    /// <summary>The operations and where each stands in the request; null when there is nothing to go on with.</summary>
    private static ImportedOperation[]? Import(RevisionParts parts, RequestCheck check)
    {
        var (operations, openApi) = (parts.Operations, parts.OpenApi);
        if ((operations is null) == (openApi is null))
        {
            check.Add("/operations", "give either operations or openApi, a document to take them from");
            return null;
        }

        ImportedOperation[]? imported = operations is not null
            ? [.. operations.Select((o, i) => new ImportedOperation(Model(o, $"/operations/{i}"), $"/operations/{i}", IsImported: false))]
            : OpenApiImport.Read(openApi!.Value, "/openApi", check)?.ToArray();
        if (imported is { Length: 0 or > MaxOperations })
        {
            check.Add(operations is not null ? "/operations" : "/openApi/paths", $"must be 1 to {MaxOperations} operations");
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

    private static string? InTermsOfRequest(string pointer, ImportedOperation[] operations)
    {
        const string Prefix = "/apis/0/operations/";
        if (!pointer.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return pointer.StartsWith("/apis/0", StringComparison.Ordinal) ? pointer["/apis/0".Length..] : null;
        }

        var rest = pointer[Prefix.Length..].Split('/', 2);
        var operation = operations[int.Parse(rest[0])];
        if (rest[1].StartsWith("policies", StringComparison.Ordinal) && operation.PoliciesPointer is { } policies)
        {
            return policies + rest[1]["policies".Length..];
        }

        // In a document the path and method are not members but the way to the operation.
        return operation.IsImported && rest[1] != "operationId" ? operation.Pointer : $"{operation.Pointer}/{rest[1]}";
    }
}

/// <param name="Pointer">Where it stands in the request.</param>
/// <param name="IsImported">True: in an OpenAPI document; false: in the list of operations.</param>
/// <param name="PoliciesPointer">Where its policies stand, when that is elsewhere.</param>
internal sealed record ImportedOperation(OperationModel Model, string Pointer, bool IsImported, string? PoliciesPointer = null);
