using System.Text.Json;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>What is published, with its versions.</summary>
public sealed record Api(
    Guid Id, string Name, IReadOnlyList<ApiVersion> Versions, DateTimeOffset CreatedAt, [property: JsonIgnore] long Etag) : ICatalogResource;

/// <summary>A labelled line of an API in the revision that is in force.</summary>
/// <param name="Id">What subscriptions refer to.</param>
/// <param name="Revision">Counts its published states from 1.</param>
/// <param name="BasePath">What gateways match and strip.</param>
/// <param name="Policies">What gateways do for it beyond routing: <see cref="ApiPolicies"/>; null: nothing special.</param>
public sealed record ApiVersion(
    Guid Id, string Version, int Revision, string BasePath, Guid BackendId, IReadOnlyList<ApiOperation> Operations, JsonElement? Policies, DateTimeOffset CreatedAt);

/// <summary>One method and path template of a version.</summary>
/// <param name="Policies">What differs for it: <see cref="OperationPolicies"/>; null: nothing.</param>
public sealed record ApiOperation(string OperationId, string Method, string PathTemplate, JsonElement? Policies);
