using System.Security.Cryptography;
using System.Text.Json;

namespace OpenPlatform.Contracts.Snapshots.Shards;

/// <summary>
/// Divides a snapshot into shards and puts it together again. A shard is itself a snapshot that holds a part of the whole, with
/// revision 0: one JSON form, one validator. Whoever adds a list to <see cref="Snapshot"/> says here which shard it is in.
/// </summary>
public static class SnapshotShards
{
    /// <summary>The shards that have content, by name in ordinal order. <see cref="ShardName.Core"/> is always one of them.</summary>
    /// <param name="snapshot">The whole or some of its parts; its lists ordered by id, so that equal content has equal bytes.</param>
    public static SortedDictionary<string, Snapshot> Split(Snapshot snapshot)
    {
        var shards = new SortedDictionary<string, Snapshot>(StringComparer.Ordinal)
        {
            [ShardName.Core] = Snapshot.Empty with { Issuers = snapshot.Issuers is { Count: > 0 } issuers ? issuers : null },
        };
        foreach (var api in snapshot.Apis)
        {
            shards[ShardName.Api(api.VersionId)] = Snapshot.Empty with { Apis = [api] };
        }

        var backends = snapshot.Backends.ToLookup(static b => ShardName.SegmentOf(b.BackendId));
        var plans = snapshot.Plans.ToLookup(static p => ShardName.SegmentOf(p.PlanId));
        var applications = snapshot.Applications.ToLookup(static a => ShardName.SegmentOf(a.ApplicationId));
        var subscriptions = snapshot.Subscriptions.ToLookup(static s => ShardName.SegmentOf(s.ApplicationId));
        var keys = snapshot.Credentials.ToLookup(static c => ShardName.SegmentOf(c.Hash.Span));
        var signing = (snapshot.SigningKeys ?? []).ToLookup(static k => ShardName.SegmentOf(k.KeyId));
        var certificates = (snapshot.Certificates ?? []).ToLookup(static c => ShardName.SegmentOf(c.Thumbprint.Span));
        for (var i = 0; i < ShardName.Segments; i++)
        {
            if (backends.Contains(i))
            {
                shards[ShardName.Backends(i)] = Snapshot.Empty with { Backends = [.. backends[i]] };
            }

            if (plans.Contains(i))
            {
                shards[ShardName.Plans(i)] = Snapshot.Empty with { Plans = [.. plans[i]] };
            }

            if (applications.Contains(i) || subscriptions.Contains(i))
            {
                shards[ShardName.Applications(i)] = Snapshot.Empty with { Applications = [.. applications[i]], Subscriptions = [.. subscriptions[i]] };
            }

            if (keys.Contains(i) || signing.Contains(i) || certificates.Contains(i))
            {
                shards[ShardName.Credentials(i)] = Snapshot.Empty with
                {
                    Credentials = [.. keys[i]],
                    SigningKeys = signing.Contains(i) ? [.. signing[i]] : null,
                    Certificates = certificates.Contains(i) ? [.. certificates[i]] : null,
                };
            }
        }

        return shards;
    }

    /// <summary>The snapshot that <paramref name="shards"/> are the parts of, its lists ordered by id. Where two have the same, the first one counts.</summary>
    public static Snapshot Join(long revision, DateTimeOffset createdAt, IReadOnlyCollection<Snapshot> shards)
    {
        return new(revision, createdAt,
            All(static s => s.Apis, static a => a.VersionId), All(static s => s.Backends, static b => b.BackendId), All(static s => s.Plans, static p => p.PlanId),
            All(static s => s.Applications, static a => a.ApplicationId), All(static s => s.Credentials, static c => c.CredentialId),
            All(static s => s.Subscriptions, static s => s.SubscriptionId))
        {
            SigningKeys = Some(All(static s => s.SigningKeys ?? [], static k => k.CredentialId)),
            Certificates = Some(All(static s => s.Certificates ?? [], static c => c.CredentialId)),
            Issuers = Some([.. shards.SelectMany(static s => s.Issuers ?? [])]),
        };

        T[] All<T>(Func<Snapshot, IReadOnlyList<T>> list, Func<T, Guid> id) => [.. shards.SelectMany(list).DistinctBy(id).OrderBy(id)];

        static T[]? Some<T>(T[] list) => list.Length == 0 ? null : list;
    }

    /// <summary>The bytes that a shard's hash is of, and that travel.</summary>
    public static byte[] Serialize(Snapshot shard) => JsonSerializer.SerializeToUtf8Bytes(shard, SnapshotJson.Default.Snapshot);

    /// <summary>SHA-256, lower-case hexadecimal.</summary>
    public static string HashOf(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA256.HashData(content));
}
