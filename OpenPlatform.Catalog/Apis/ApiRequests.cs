using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>A new API with its first version.</summary>
/// <param name="Name">1 to 63 lower-case letters, digits and inner hyphens; unique.</param>
/// <param name="Version">Label such as <c>v1</c>: 1 to 32 lower-case letters, digits, dots and hyphens.</param>
/// <param name="BasePath">Such as <c>/orders/v1</c>; unique, without regard to case.</param>
/// <param name="Operations">The operations; or give <paramref name="OpenApi"/>.</param>
/// <param name="OpenApi">An OpenAPI 3.0 or 3.1 document to take them from: an object, or a text that holds JSON or YAML.</param>
/// <param name="Policies">What gateways do for the version beyond routing: <see cref="ApiPolicies"/>.</param>
/// <param name="OperationPolicies">By operation id, what differs for one operation of the document: <see cref="Contracts.Snapshots.OperationPolicies"/>.</param>
/// <param name="ValidateBodies">True: gateways check request bodies against the document's media types and schemas.</param>
/// <param name="RequireScopes">True: operations ask for the OAuth scopes that the document names.</param>
/// <param name="KeepExamples">True: operations carry the mock answer of their document, for when <c>mock</c> is on.</param>
/// <param name="Draft">True: it can be changed until it is published; otherwise it is in force at once.</param>
public sealed record ApiRequest(
    [property: Required] string? Name, [property: Required] string? Version, [property: Required] string? BasePath, [property: Required] Guid? BackendId,
    IReadOnlyList<OperationRequest?>? Operations = null, JsonElement? OpenApi = null, JsonElement? Policies = null,
    IReadOnlyDictionary<string, JsonElement>? OperationPolicies = null,
    bool ValidateBodies = false, bool RequireScopes = false, bool KeepExamples = false, bool Draft = false)
{
    internal Outcome<Publication> Check() =>
        Publication.Of(Name, Version, BasePath, new(BackendId, Operations, OpenApi, Policies, OperationPolicies, new(ValidateBodies, RequireScopes, KeepExamples), Draft));
}

/// <summary>Another version of an API. Members as in <see cref="ApiRequest"/>.</summary>
public sealed record VersionRequest(
    [property: Required] string? Version, [property: Required] string? BasePath, [property: Required] Guid? BackendId,
    IReadOnlyList<OperationRequest?>? Operations = null, JsonElement? OpenApi = null, JsonElement? Policies = null,
    IReadOnlyDictionary<string, JsonElement>? OperationPolicies = null,
    bool ValidateBodies = false, bool RequireScopes = false, bool KeepExamples = false, bool Draft = false)
{
    internal Outcome<Publication> Check() =>
        Publication.Of(Publication.Known, Version, BasePath, new(BackendId, Operations, OpenApi, Policies, OperationPolicies, new(ValidateBodies, RequireScopes, KeepExamples), Draft));
}

/// <summary>The next revision of a version, or the whole content of its draft. Members as in <see cref="ApiRequest"/>.</summary>
public sealed record RevisionRequest(
    [property: Required] Guid? BackendId, IReadOnlyList<OperationRequest?>? Operations = null, JsonElement? OpenApi = null, JsonElement? Policies = null,
    IReadOnlyDictionary<string, JsonElement>? OperationPolicies = null,
    bool ValidateBodies = false, bool RequireScopes = false, bool KeepExamples = false, bool Draft = false)
{
    internal Outcome<Publication> Check() => Publication.OfRevision(new(BackendId, Operations, OpenApi, Policies, OperationPolicies, new(ValidateBodies, RequireScopes, KeepExamples), Draft));
}

/// <param name="OperationId">1 to 128 characters, unique in its version.</param>
/// <param name="Method">GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.</param>
/// <param name="PathTemplate">Relative to the base path, such as <c>/orders/{id}</c>.</param>
/// <param name="Policies">What differs for it: <see cref="OperationPolicies"/>.</param>
public sealed record OperationRequest(
    [property: Required] string? OperationId, [property: Required] string? Method, [property: Required] string? PathTemplate, JsonElement? Policies = null);
