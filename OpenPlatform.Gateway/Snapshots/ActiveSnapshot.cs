using System.Diagnostics;
using System.Text.Json;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Resilience;
using OpenPlatform.Gateway.State;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>The snapshot in force: one reference that is swapped, and the last good one on disk. Whoever applies does so alone.</summary>
internal sealed class ActiveSnapshot(
    InstanceDirectory instances, ForwardCompiler forwards, IdentityCompiler identity, StateDirectory state, ShardFiles files, TimeProvider time, ILogger<ActiveSnapshot> logger)
{
    /// <summary>Where a snapshot is kept that came in one piece.</summary>
    public const string FileName = "snapshot.json";

    /// <summary>With fewer, less than some fifty partners or a hundred APIs, what reading them leaves behind is not worth a collection.</summary>
    private const int ManyShards = 100;

    private readonly ShardCompiler _compiler = new(instances, forwards, identity);

    // Content of shards that were refused: what was wrong may be in another shard, so they are tried again with every change.
    private readonly Dictionary<string, ReceivedShard> _held = new(StringComparer.Ordinal);
    private GatewaySnapshot? _current;
    private IReadOnlyDictionary<Guid, BackendState>? _announced;
    private IReadOnlyList<RefusedShard> _refused = [];

    /// <summary>What is in force, for operators; null until the first one is applied.</summary>
    public SnapshotSummary? Summary => Current is { } current ? SnapshotSummary.Of(current, Refused) : null;

    /// <summary>Null until the first one is applied.</summary>
    public GatewaySnapshot? Current => Volatile.Read(ref _current);

    /// <summary>Shards of the revision in force that could not be applied, and why.</summary>
    public IReadOnlyList<RefusedShard> Refused => Volatile.Read(ref _refused);

    /// <summary>From the catalog's write to being in force here, of the newest revision that came over the stream. Two clocks: never less than 0.</summary>
    public TimeSpan Lag { get; private set; }

    /// <summary>Raised after a swap.</summary>
    public event Action? Applied;

    /// <summary>Raised after a swap that brought other backends, or the same with other settings: most changes are of neither.</summary>
    public event Action? BackendsApplied;

    /// <summary>Checks, compiles and swaps a snapshot in one piece; false when it is refused, and then nothing has changed.</summary>
    /// <param name="json">The wire form, see <see cref="SnapshotJson"/>.</param>
    /// <param name="keep">Also write it to disk.</param>
    /// <param name="announce">False: the caller calls <see cref="Announce"/>, because this thread must queue no work.</param>
    public bool TryApply(ReadOnlySpan<byte> json, bool keep, bool announce = true)
    {
        Snapshot? snapshot;
        try
        {
            snapshot = JsonSerializer.Deserialize(json, SnapshotJson.Default.Snapshot);
        }
        catch (JsonException e)
        {
            logger.SnapshotRefused(-1, $"{e.Path}: {e.Message}");
            return false;
        }

        if (snapshot is null)
        {
            logger.SnapshotRefused(-1, "is null");
            return false;
        }

        var problems = SnapshotValidator.Validate(snapshot);
        if (problems.Count == 0)
        {
            problems = [.. identity.FindProblems(snapshot)];
        }

        if (problems.Count > 0)
        {
            logger.SnapshotRefused(snapshot.Revision, string.Join("; ", problems.Take(20).Select(static p => $"{p.Pointer}: {p.Message}")));
            return false;
        }

        // An empty answer never replaces a full view: a catalog that lost its data must not take the traffic down.
        if (snapshot.Revision == 0 && Current is { Revision: > 0 } old)
        {
            logger.SnapshotRefused(0, $"the catalog has published nothing, but revision {old.Revision} is in force");
            return false;
        }

        var shards = SnapshotShards.Split(snapshot);
        var hashes = ShardHashes.Of(shards.Select(static shard => KeyValuePair.Create(shard.Key, SnapshotShards.HashOf(SnapshotShards.Serialize(shard.Value)))));
        _held.Clear();
        Swap(new(snapshot.Revision, snapshot.CreatedAt, hashes), [.. shards.Select(shard => new ShardChange(shard.Key, hashes[shard.Key], shard.Value))]);
        if (keep)
        {
            try
            {
                state.Write(FileName, json);
                files.Forget();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                logger.SnapshotNotKept(snapshot.Revision, e);
            }
        }

        if (announce)
        {
            Announce();
        }

        return true;
    }

    /// <summary>Applies the changed shards of a revision: those that are wrong keep what was in force, the others move on.</summary>
    /// <param name="manifest">Its signature was verified.</param>
    /// <param name="received">Shards of it, their hashes verified. What is in force already and what was refused before need not be among them.</param>
    /// <param name="announce">False: the caller calls <see cref="Announce"/>, because this thread must queue no work.</param>
    public void Apply(ConfigManifest manifest, IEnumerable<ReceivedShard> received, bool announce = true)
    {
        foreach (var shard in received)
        {
            _held[shard.Name] = shard;
        }

        var changes = new List<ShardChange>();
        var unreadable = new List<RefusedShard>();
        foreach (var (name, shard) in _held)
        {
            if (manifest.Shards.GetValueOrDefault(name) != shard.Hash || Current?.Shards.GetValueOrDefault(name) == shard.Hash)
            {
                continue; // replaced meanwhile, or in force already
            }

            try
            {
                changes.Add(new(name, shard.Hash, ShardJson.Read(shard.Content)));
            }
            catch (JsonException e)
            {
                unreadable.Add(new(name, $"cannot be read: {e.Path}: {e.Message}"));
            }

            BackgroundThread.GiveWay();
        }

        Lag = time.GetUtcNow() - manifest.CreatedAt is { Ticks: > 0 } lag ? lag : TimeSpan.Zero;
        Swap(manifest, changes, unreadable);
        BackgroundThread.GiveWay();
        var inForce = Current!.Shards;
        files.Keep(new(manifest.Revision, manifest.CreatedAt, inForce), _held.Values.Where(shard => inForce.GetValueOrDefault(shard.Name) == shard.Hash));
        foreach (var name in _held.Keys.Where(name => Refused.All(refused => refused.Shard != name)).ToArray())
        {
            _held.Remove(name);
        }

        if (announce)
        {
            Announce();
        }
    }

    /// <summary>Raises <see cref="Applied"/> and <see cref="BackendsApplied"/>.</summary>
    public void Announce()
    {
        var backends = Current?.Core.Backends;
        if (!ReferenceEquals(Interlocked.Exchange(ref _announced, backends), backends))
        {
            BackendsApplied?.Invoke();
        }

        Applied?.Invoke();
    }

    /// <summary>Applies the last good one from disk, if there is one.</summary>
    public void Restore()
    {
        if (files.Load() is var (manifest, shards))
        {
            Apply(manifest, shards);
            return;
        }

        var json = state.Read(FileName, out var damage);
        if (damage is not null)
        {
            logger.SnapshotFileDamaged(damage);
        }
        else if (json is not null)
        {
            TryApply(json, keep: false);
        }
    }

    private void Swap(ConfigManifest manifest, List<ShardChange> changes, IReadOnlyList<RefusedShard>? unreadable = null)
    {
        var started = Stopwatch.GetTimestamp();
        var previous = Current ?? GatewaySnapshot.None;
        if (manifest.Revision < previous.Revision)
        {
            logger.SnapshotWentBack(manifest.Revision, previous.Revision);
        }

        changes.AddRange(manifest.Shards.RemovedSince(previous.Shards).Select(static name => new ShardChange(name, "", null)));
        BackgroundThread.GiveWay();
        changes.RemoveAll(change => change.Content is not null && previous.Shards.GetValueOrDefault(change.Name) == change.Hash);
        var compiled = _compiler.Compile(previous, manifest, changes, out var refused);
        var applied = changes.Count - refused.Count;
        if (ReferenceEquals(previous, GatewaySnapshot.None) && manifest.Shards.Count >= ManyShards)
        {
            // Reading everything leaves twice behind what it made. Collected now, when nobody waits; later it would be for a tenth of a second in the middle of traffic.
            changes.Clear();
            GC.Collect();
        }

        Volatile.Write(ref _refused, [.. unreadable ?? [], .. refused]);
        Volatile.Write(ref _current, compiled);
        logger.SnapshotApplied(compiled.Revision, applied, compiled.Shards.Count, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        foreach (var shard in Refused)
        {
            logger.ShardRefused(shard.Shard, compiled.Revision, shard.Reason);
        }
    }
}

/// <summary>A shard as it came: <paramref name="Content"/> has <paramref name="Hash"/>.</summary>
internal sealed record ReceivedShard(string Name, string Hash, byte[] Content);
