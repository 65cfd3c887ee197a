using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>What was received and is not applied yet. Revisions that come faster than they are applied become one: the newest.</summary>
internal sealed class PendingChange : IDisposable
{
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _some = new(0, 1);
    private readonly Dictionary<string, ReceivedShard> _shards = new(StringComparer.Ordinal);
    private ConfigManifest? _manifest;

    public void Dispose() => _some.Dispose();

    public void Add(ConfigManifest manifest, IEnumerable<ReceivedShard> shards)
    {
        lock (_lock)
        {
            _manifest = manifest;
            foreach (var shard in shards)
            {
                _shards[shard.Name] = shard;
            }

            if (_some.CurrentCount == 0)
            {
                _some.Release();
            }
        }
    }

    /// <summary>Waits for a change and takes all that is there.</summary>
    public async Task<(ConfigManifest Manifest, IReadOnlyList<ReceivedShard> Shards)> TakeAsync(CancellationToken cancellationToken)
    {
        await _some.WaitAsync(cancellationToken);
        lock (_lock)
        {
            var taken = (_manifest!, _shards.Values.ToArray());
            _shards.Clear();
            return taken;
        }
    }
}
