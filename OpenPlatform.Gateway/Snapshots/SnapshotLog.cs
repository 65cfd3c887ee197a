namespace OpenPlatform.Gateway.Snapshots;

internal static partial class SnapshotLog   // event ids 1100-1199
{
    [LoggerMessage(1101, LogLevel.Information, "Applied snapshot {Revision}: {ChangedCount} of {ShardCount} shards, in {DurationMs:0.0} ms")]
    public static partial void SnapshotApplied(this ILogger logger, long revision, int changedCount, int shardCount, double durationMs);

    [LoggerMessage(1102, LogLevel.Error, "Refused snapshot {Revision} and kept the one in force: {Problems}")]
    public static partial void SnapshotRefused(this ILogger logger, long revision, string problems);

    [LoggerMessage(1103, LogLevel.Warning, "The catalog went back from revision {OldRevision} to {Revision}")]
    public static partial void SnapshotWentBack(this ILogger logger, long revision, long oldRevision);

    [LoggerMessage(1104, LogLevel.Error, "Snapshot {Revision} is in force but could not be written to the state directory")]
    public static partial void SnapshotNotKept(this ILogger logger, long revision, Exception exception);

    [LoggerMessage(1105, LogLevel.Error, "The snapshot in the state directory is damaged and was not applied: {Damage}")]
    public static partial void SnapshotFileDamaged(this ILogger logger, string damage);

    [LoggerMessage(1106, LogLevel.Warning, "The catalog cannot be asked for a snapshot, serving revision {Revision}: {Reason}")]
    public static partial void CatalogAway(this ILogger logger, long revision, string reason);

    [LoggerMessage(1108, LogLevel.Error, "Refused shard {Shard} of revision {Revision} and kept what was in force under its name: {Reason}")]
    public static partial void ShardRefused(this ILogger logger, string shard, long revision, string reason);

    [LoggerMessage(1109, LogLevel.Debug, "The stream of shards ended at revision {Revision}: {Reason}")]
    public static partial void StreamEnded(this ILogger logger, long revision, string reason);

    [LoggerMessage(1107, LogLevel.Information, "The catalog answers again")]
    public static partial void CatalogBack(this ILogger logger);
}
