using System.Collections.Frozen;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Routing;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>
/// What the gateway runs, compiled for look-ups: immutable, built off the request path, swapped whole. The next one shares with it whatever did not
/// change.
/// </summary>
internal sealed class GatewaySnapshot
{
    public static GatewaySnapshot None { get; } = new()
    {
        Revision = -1,
        CreatedAt = DateTimeOffset.UnixEpoch,
        AppliedAt = DateTimeOffset.UnixEpoch,
        Shards = FrozenDictionary<string, string>.Empty,
        Core = CoreModel.Empty,
        Apis = FrozenDictionary<Guid, CompiledApi>.Empty,
        Routes = RouteTable.Empty,
        Applications = [.. Enumerable.Repeat(FrozenDictionary<Guid, ApplicationEntry>.Empty, ShardName.Segments)],
        Credentials = [.. Enumerable.Repeat(CredentialSegment.Empty, ShardName.Segments)],
        Backends = [],
    };

    public required long Revision { get; init; }

    /// <summary>When the catalog wrote it, UTC.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset AppliedAt { get; init; }

    /// <summary>Name → hash of what is in force. Differs from the manifest of the revision where a shard was refused.</summary>
    public required IReadOnlyDictionary<string, string> Shards { get; init; }

    public required CoreModel Core { get; init; }

    /// <summary>By version.</summary>
    public required IReadOnlyDictionary<Guid, CompiledApi> Apis { get; init; }

    public required RouteTable Routes { get; init; }

    /// <summary>By id, in segments of <see cref="ShardName.SegmentOf(Guid)"/>.</summary>
    public required FrozenDictionary<Guid, ApplicationEntry>[] Applications { get; init; }

    /// <summary>In segments by what a request presents.</summary>
    public required CredentialSegment[] Credentials { get; init; }

    /// <summary>What else applications identify themselves with; null when they have API keys alone.</summary>
    public IdentityIndex? Identity { get; init; }

    public required IReadOnlyList<BackendState> Backends { get; init; }

    /// <summary>The credential with this hash, or null. Allocates nothing.</summary>
    public CredentialEntry? FindCredential(KeyDigest digest) => Credentials[digest.Segment].Keys.GetValueOrDefault(digest);

    /// <summary>The application, or null. Allocates nothing.</summary>
    public ApplicationEntry? FindApplication(Guid id) => Applications[ShardName.SegmentOf(id)].GetValueOrDefault(id);
}

/// <summary>One API version, compiled.</summary>
/// <param name="Backends">All that it may send requests to.</param>
internal sealed record CompiledApi(ApiEntry Entry, ApiRoutes Routes, IReadOnlyList<BackendState> Backends);

/// <summary>The shard <see cref="ShardName.Core"/>, compiled.</summary>
internal sealed record CoreModel(
    IReadOnlyDictionary<Guid, BackendState> Backends, IReadOnlyDictionary<Guid, CompiledPlan> Plans, FrozenDictionary<string, Authentication.Tokens.IssuerEntry> Issuers)
{
    public static CoreModel Empty { get; } = new(
        FrozenDictionary<Guid, BackendState>.Empty, FrozenDictionary<Guid, CompiledPlan>.Empty, FrozenDictionary<string, Authentication.Tokens.IssuerEntry>.Empty);
}

/// <param name="Json">What it was compiled from: a plan that stays the same stays the same object, and so do the subscriptions under it.</param>
internal sealed record CompiledPlan(string Json, PlanEntry Entry);

/// <summary>What requests are known by whose digest begins with the same byte.</summary>
internal sealed record CredentialSegment(
    FrozenDictionary<KeyDigest, CredentialEntry> Keys, FrozenDictionary<string, SigningKeyEntry> SigningKeys, FrozenDictionary<KeyDigest, CredentialEntry> Certificates)
{
    public static CredentialSegment Empty { get; } = new(
        FrozenDictionary<KeyDigest, CredentialEntry>.Empty, FrozenDictionary<string, SigningKeyEntry>.Empty, FrozenDictionary<KeyDigest, CredentialEntry>.Empty);
}
