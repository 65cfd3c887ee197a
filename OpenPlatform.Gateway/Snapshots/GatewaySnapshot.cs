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
        Shards = ShardHashes.Empty,
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
    public required ShardHashes Shards { get; init; }

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

/// <summary>What the shards of the other kinds name, and issuers.</summary>
/// <param name="Parts">By shard: the backends and plans that it holds.</param>
/// <param name="Backends">Of all parts.</param>
/// <param name="Plans">Of all parts.</param>
internal sealed record CoreModel(
    IReadOnlyDictionary<string, CorePart> Parts, PartMap<BackendState> Backends, PartMap<CompiledPlan> Plans, FrozenDictionary<string, Authentication.Tokens.IssuerEntry> Issuers)
{
    public static CoreModel Empty { get; } = new(
        FrozenDictionary<string, CorePart>.Empty, new(ShardKind.Backends), new(ShardKind.Plans), FrozenDictionary<string, Authentication.Tokens.IssuerEntry>.Empty);

    /// <summary>The same issuers with some parts changed.</summary>
    /// <param name="changed">By shard; null: it is gone.</param>
    public CoreModel With(IReadOnlyDictionary<string, CorePart?> changed)
    {
        var parts = new Dictionary<string, CorePart>(Parts, StringComparer.Ordinal);
        foreach (var (name, part) in changed)
        {
            parts.Remove(name);
            if (part is not null)
            {
                parts[name] = part;
            }
        }

        return this with
        {
            Parts = parts,
            Backends = Backends.With(changed.Select(static part => KeyValuePair.Create(part.Key, part.Value?.Backends ?? []))),
            Plans = Plans.With(changed.Select(static part => KeyValuePair.Create(part.Key, part.Value?.Plans ?? []))),
        };
    }
}

/// <summary>Backends and plans of one shard, compiled.</summary>
internal sealed record CorePart(IReadOnlyList<KeyValuePair<Guid, BackendState>> Backends, IReadOnlyList<KeyValuePair<Guid, CompiledPlan>> Plans);

/// <param name="Json">What it was compiled from: a plan that stays the same stays the same object, and so do the subscriptions under it.</param>
internal sealed record CompiledPlan(string Json, PlanEntry Entry);

/// <summary>What requests are known by whose digest begins with the same byte.</summary>
internal sealed record CredentialSegment(
    FrozenDictionary<KeyDigest, CredentialEntry> Keys, FrozenDictionary<string, SigningKeyEntry> SigningKeys, FrozenDictionary<KeyDigest, CredentialEntry> Certificates)
{
    public static CredentialSegment Empty { get; } = new(
        FrozenDictionary<KeyDigest, CredentialEntry>.Empty, FrozenDictionary<string, SigningKeyEntry>.Empty, FrozenDictionary<KeyDigest, CredentialEntry>.Empty);
}
