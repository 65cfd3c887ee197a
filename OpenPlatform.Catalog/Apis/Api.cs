using System.Text.Json;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Apis.Documents;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>What is published, with its versions.</summary>
public sealed record Api(
    Guid Id, string Name, IReadOnlyList<ApiVersion> Versions, DateTimeOffset CreatedAt, [property: JsonIgnore] long Etag) : ICatalogResource;

/// <summary>
/// A labelled line of an API in the revision that is in force, or in its draft as long as none is. It has the ETag of its API: whoever changes a
/// version changes the API.
/// </summary>
/// <param name="Id">What subscriptions refer to.</param>
/// <param name="Revision">The revision in force, counted from 1; null: a draft.</param>
/// <param name="Draft">The revision that is worked on; null: none is.</param>
/// <param name="BasePath">What gateways match and strip.</param>
/// <param name="Policies">What gateways do for it beyond routing: <see cref="ApiPolicies"/>; null: nothing special.</param>
/// <param name="Lifecycle">What callers are told of its end; null: nothing yet.</param>
/// <param name="Blocked">Null: not blocked.</param>
/// <param name="Warnings">What lint said of the document.</param>
public sealed record ApiVersion(
    Guid Id, string Version, VersionState State, int? Revision, int? Draft, string BasePath, Guid? BackendId, IReadOnlyList<ApiOperation> Operations, JsonElement? Policies,
    VersionEnd? Lifecycle, VersionBlock? Blocked, IReadOnlyList<LintFinding> Warnings, DateTimeOffset CreatedAt, [property: JsonIgnore] long Etag) : ICatalogResource
{
    /// <summary>Only in the answer to a publication or rollback: what changes for callers.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<RevisionChange>? Changes { get; init; }
}

/// <summary>One method and path template of a version.</summary>
/// <param name="Policies">What differs for it: <see cref="OperationPolicies"/>; null: nothing.</param>
public sealed record ApiOperation(string OperationId, string Method, string PathTemplate, JsonElement? Policies);

/// <summary>Where a version stands. It goes from each state to the next and never back.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<VersionState>))]
public enum VersionState
{
    /// <summary>Nothing of it was ever in force.</summary>
    [JsonStringEnumMemberName("draft")]
    Draft,

    [JsonStringEnumMemberName("published")]
    Published,

    /// <summary>Serves, and says on every answer that it will end.</summary>
    [JsonStringEnumMemberName("deprecated")]
    Deprecated,

    /// <summary>Answers 410.</summary>
    [JsonStringEnumMemberName("retired")]
    Retired,
}

/// <summary>How a version ends.</summary>
/// <param name="DeprecatedAt">Since when callers are told, or will be.</param>
/// <param name="SunsetAt">From when it may no longer answer; null: not known yet.</param>
/// <param name="SuccessorId">The version of the same API to use in its place.</param>
/// <param name="Documentation">Where it is explained.</param>
/// <param name="RetiredAt">Since when it answers 410; null: it still serves.</param>
public sealed record VersionEnd(DateTimeOffset DeprecatedAt, DateTimeOffset? SunsetAt, Guid? SuccessorId, string? Documentation, DateTimeOffset? RetiredAt);

/// <summary>An emergency stop.</summary>
/// <param name="Reason">Callers read it.</param>
/// <param name="Until">When it ends by itself; null: when it is taken away.</param>
public sealed record VersionBlock(string Reason, DateTimeOffset At, DateTimeOffset? Until);

/// <summary>One state of a version.</summary>
/// <param name="Revision">Counted from 1.</param>
/// <param name="PublishedAt">Null: a draft, which can be changed.</param>
/// <param name="InForce">Whether gateways run it.</param>
/// <param name="BackendId">Null: it was deleted since.</param>
/// <param name="Findings">What lint says of the document.</param>
public sealed record ApiRevision(
    int Revision, DateTimeOffset CreatedAt, DateTimeOffset? PublishedAt, bool InForce, Guid? BackendId, IReadOnlyList<LintFinding> Findings);

/// <summary>One state of a version with all that is in it.</summary>
/// <param name="Document">The OpenAPI document it was made of; null: a list of operations.</param>
/// <param name="Changes">What changed for callers since the published revision before it.</param>
/// <param name="ComparedWith">That revision; null: there is none.</param>
public sealed record ApiRevisionDetail(
    int Revision, DateTimeOffset CreatedAt, DateTimeOffset? PublishedAt, bool InForce, Guid? BackendId, IReadOnlyList<LintFinding> Findings,
    IReadOnlyList<ApiOperation> Operations, JsonElement? Policies, JsonElement? Document, int? ComparedWith, IReadOnlyList<RevisionChange> Changes);

/// <summary>Who still calls a version.</summary>
/// <param name="Application">Its name; null: it is not in the catalog any more.</param>
/// <param name="LastHour">Start of the hour of its last call, UTC.</param>
/// <param name="Units">In the last 30 days.</param>
public sealed record VersionCaller(Guid ApplicationId, string? Application, Guid? OrganizationId, string? Organization, DateTimeOffset LastHour, long Units);
