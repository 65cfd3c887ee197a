using System.Diagnostics;
using System.Text.Json;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Resilience;
using OpenPlatform.Gateway.State;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>The snapshot in force: one reference that is swapped, and the last good one on disk.</summary>
internal sealed class ActiveSnapshot(InstanceDirectory instances, ForwardCompiler forwards, IdentityCompiler identity, StateDirectory state, ILogger<ActiveSnapshot> logger)
{
    public const string FileName = "snapshot.json";

    private GatewaySnapshot? _current;

    /// <summary>What is in force, for operators; null until the first one is applied.</summary>
    public SnapshotSummary? Summary { get; private set; }

    /// <summary>Null until the first one is applied.</summary>
    public GatewaySnapshot? Current => Volatile.Read(ref _current);

    /// <summary>Raised after a swap, on the thread that applied it.</summary>
    public event Action? Applied;

    /// <summary>Checks, compiles and swaps; false when it is refused, and then nothing has changed.</summary>
    /// <param name="json">The wire form, see <see cref="SnapshotJson"/>.</param>
    /// <param name="keep">Also write it to disk.</param>
    public bool TryApply(ReadOnlySpan<byte> json, bool keep)
    {
        var started = Stopwatch.GetTimestamp();
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

        if (Current is { Revision: > 0 } old)
        {
            // An empty answer never replaces a full view: a catalog that lost its data must not take the traffic down.
            if (snapshot.Revision == 0)
            {
                logger.SnapshotRefused(0, $"the catalog has published nothing, but revision {old.Revision} is in force");
                return false;
            }

            if (snapshot.Revision < old.Revision)
            {
                logger.SnapshotWentBack(snapshot.Revision, old.Revision);
            }
        }

        var compiled = SnapshotCompiler.Compile(snapshot, instances, forwards, identity);
        Summary = SnapshotSummary.Of(snapshot, json);
        Volatile.Write(ref _current, compiled);
        logger.SnapshotApplied(compiled.Revision, snapshot.Apis.Count, snapshot.Credentials.Count, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        Applied?.Invoke();

        if (keep)
        {
            try
            {
                state.Write(FileName, json);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                logger.SnapshotNotKept(compiled.Revision, e);
            }
        }

        return true;
    }

    /// <summary>Applies the last good one from disk, if there is one.</summary>
    public void Restore()
    {
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
}
