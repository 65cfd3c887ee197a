using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>A new API with its first version, published at once.</summary>
/// <param name="Name">1 to 63 lower-case letters, digits and inner hyphens; unique.</param>
/// <param name="Version">Label such as <c>v1</c>: 1 to 32 lower-case letters, digits, dots and hyphens.</param>
/// <param name="BasePath">Such as <c>/orders/v1</c>; unique, without regard to case.</param>
/// <param name="Operations">The operations; or give <paramref name="OpenApi"/>.</param>
/// <param name="OpenApi">An OpenAPI 3 document (JSON) to take them from.</param>
public sealed record ApiRequest(
    [property: Required] string? Name, [property: Required] string? Version, [property: Required] string? BasePath, [property: Required] Guid? BackendId,
    IReadOnlyList<OperationRequest?>? Operations = null, JsonElement? OpenApi = null)
{
    internal Outcome<Publication> Check() => Publication.Of(Name, Version, BasePath, BackendId, Operations, OpenApi);
}

/// <summary>Another version of an API, published at once. Members as in <see cref="ApiRequest"/>.</summary>
public sealed record VersionRequest(
    [property: Required] string? Version, [property: Required] string? BasePath, [property: Required] Guid? BackendId,
    IReadOnlyList<OperationRequest?>? Operations = null, JsonElement? OpenApi = null)
{
    internal Outcome<Publication> Check() => Publication.Of(Publication.Known, Version, BasePath, BackendId, Operations, OpenApi);
}

/// <summary>The next revision of a version, in force at once. Members as in <see cref="ApiRequest"/>.</summary>
public sealed record RevisionRequest([property: Required] Guid? BackendId, IReadOnlyList<OperationRequest?>? Operations = null, JsonElement? OpenApi = null)
{
    internal Outcome<Publication> Check() => Publication.Of(Publication.Known, Publication.Known, "/" + Publication.Known, BackendId, Operations, OpenApi);
}

/// <param name="OperationId">1 to 128 characters, unique in its version.</param>
/// <param name="Method">GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.</param>
/// <param name="PathTemplate">Relative to the base path, such as <c>/orders/{id}</c>.</param>
public sealed record OperationRequest([property: Required] string? OperationId, [property: Required] string? Method, [property: Required] string? PathTemplate);

/// <summary>A checked request to publish: what goes into the rows.</summary>
/// <param name="Document">The OpenAPI document as it came, or null.</param>
internal sealed record Publication(
    string Name, string Version, string BasePath, Guid BackendId, IReadOnlyList<OperationModel> Operations, string? Document)
{
    /// <summary>Stands for a part that the request does not have because it is in the database, where it was checked.</summary>
    public const string Known = "known";

    public const int MaxOperations = 5_000;

    public static Outcome<Publication> Of(
        string? name, string? version, string? basePath, Guid? backendId, IReadOnlyList<OperationRequest?>? operations, JsonElement? openApi)
    {
        var check = new RequestCheck();
        Required("/name", name);
        Required("/version", version);
        Required("/basePath", basePath);
        check.Id("/backendId", backendId);
        if (basePath?.Length > 256)
        {
            check.Add("/basePath", "must be at most 256 characters");
        }

        var imported = Import(operations, openApi, check);
        if (imported is null)
        {
            return check.Problem!;
        }

        var backend = new BackendModel(Guid.CreateVersion7(), Known, Known, []);
        var candidate = new ApiModel(
            Guid.CreateVersion7(), name ?? Known, version ?? Known, Guid.CreateVersion7(), 1, basePath ?? "/" + Known, backend.BackendId,
            [.. imported.Select(static operation => operation.Model)]);
        check.Snapshot(Snapshot.Empty with { Apis = [candidate], Backends = [backend] }, pointer => InTermsOfRequest(pointer, imported));

        return check.Problem is { } problem
            ? problem
            : new Publication(name!, version!, basePath!, backendId!.Value, candidate.Operations, openApi?.GetRawText());

        void Required(string pointer, string? value)
        {
            if (value is null)
            {
                check.Add(pointer, "is required");
            }
        }
    }

    /// <summary>The operations and where each stands in the request; null when there is nothing to go on with.</summary>
    private static IReadOnlyList<ImportedOperation>? Import(IReadOnlyList<OperationRequest?>? operations, JsonElement? openApi, RequestCheck check)
    {
        if ((operations is null) == (openApi is null))
        {
            check.Add("/operations", "give either operations or openApi, a document to take them from");
            return null;
        }

        IReadOnlyList<ImportedOperation>? imported = operations is not null
            ? [.. operations.Select(static (o, i) => new ImportedOperation(new(o?.OperationId ?? "", o?.Method ?? "", o?.PathTemplate ?? ""), $"/operations/{i}", IsImported: false))]
            : OpenApiImport.Read(openApi!.Value, "/openApi", check);
        if (imported is { Count: 0 or > MaxOperations })
        {
            check.Add(operations is not null ? "/operations" : "/openApi/paths", $"must be 1 to {MaxOperations} operations");
            return null;
        }

        return imported;
    }

    private static string? InTermsOfRequest(string pointer, IReadOnlyList<ImportedOperation> operations)
    {
        const string Prefix = "/apis/0/operations/";
        if (!pointer.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return pointer["/apis/0".Length..];
        }

        var rest = pointer[Prefix.Length..].Split('/', 2);
        var operation = operations[int.Parse(rest[0])];
        // In a document the path and method are not members but the way to the operation.
        return operation.IsImported && rest[1] != "operationId" ? operation.Pointer : $"{operation.Pointer}/{rest[1]}";
    }
}

/// <param name="Pointer">Where it stands in the request.</param>
/// <param name="IsImported">True: in an OpenAPI document; false: in the list of operations.</param>
internal sealed record ImportedOperation(OperationModel Model, string Pointer, bool IsImported);
