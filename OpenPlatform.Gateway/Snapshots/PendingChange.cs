using System.Diagnostics.CodeAnalysis;
using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>What was received and is not applied yet. Revisions that come faster than they are applied become one: the newest.</summary>
internal sealed class PendingChange
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, ReceivedShard> _shards = new(StringComparer.Ordinal);
    private ConfigManifest? _manifest;

    public void Add(ConfigManifest manifest, IEnumerable<ReceivedShard> shards)
    {
        lock (_lock)
        {
            _manifest = manifest;
            foreach (var shard in shards)
            {
                _shards[shard.Name] = shard;
            }
        }
    }

    /// <summary>Takes all that is there; false: somebody took it already.</summary>
    public bool TryTake([NotNullWhen(true)] out ConfigManifest? manifest, out IReadOnlyList<ReceivedShard> shards)
    {
        lock (_lock)
        {
            (manifest, shards) = (_manifest, [.. _shards.Values]);
            _manifest = null;
            _shards.Clear();
            return manifest is not null;
        }
    }
}
