using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Resilience;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>Turns a whole <see cref="Snapshot"/> into look-up structures, from nothing.</summary>
internal static class SnapshotCompiler
{
    /// <param name="snapshot">Must have passed <see cref="SnapshotValidator"/>.</param>
    /// <exception cref="ShardException">A part of it cannot be run.</exception>
    public static GatewaySnapshot Compile(Snapshot snapshot, InstanceDirectory instances, ForwardCompiler forwards, IdentityCompiler identity)
    {
        var compiled = new ShardCompiler(instances, forwards, identity).Compile(
            GatewaySnapshot.None, new(snapshot.Revision, snapshot.CreatedAt, ShardHashes.Empty), [.. SnapshotShards.Split(snapshot).Select(static shard => new ShardChange(shard.Key, "", shard.Value))],
            out var refused);
        return refused is [var first, ..] ? throw new ShardException($"{first.Shard}: {first.Reason}") : compiled;
    }
}
