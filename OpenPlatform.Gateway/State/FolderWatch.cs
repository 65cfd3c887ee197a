namespace OpenPlatform.Gateway.State;

/// <summary>
/// Calls back when something in a folder changes, as far as the system tells. Watches are scarce on Linux (128 of a user by default, shared by all that
/// runs in his name), and network shares and mounted volumes tell nothing: who uses this also looks at an interval.
/// </summary>
internal sealed class FolderWatch(string folder, Action changed, ILogger logger) : IDisposable
{
    private FileSystemWatcher? _watcher;
    private int _told;

    /// <summary>Begins to watch unless it does. The first refusal of the system is logged; a folder that is not there yet is none.</summary>
    public void Begin(TimeSpan interval)
    {
        if (_watcher is not null || !Directory.Exists(folder))
        {
            return;
        }

        FileSystemWatcher? watcher = null;
        try
        {
            watcher = new(folder);
            watcher.Changed += (_, _) => changed();
            watcher.Created += (_, _) => changed();
            watcher.Renamed += (_, _) => changed();
            watcher.Deleted += (_, _) => changed();
            watcher.Error += (_, error) => Refused(error.GetException(), interval); // how a lack of watches (not of instances) is told
            watcher.EnableRaisingEvents = true;
            _watcher = watcher;
        }
        catch (Exception e) when (e is ArgumentException or IOException or UnauthorizedAccessException)
        {
            watcher?.Dispose();
            Refused(e, interval);
        }
    }

    public void Dispose() => _watcher?.Dispose();

    private void Refused(Exception reason, TimeSpan interval)
    {
        // More changes at once than the system remembers: something has changed.
        if (reason is InternalBufferOverflowException)
        {
            changed();
        }
        else if (Interlocked.Exchange(ref _told, 1) == 0)
        {
            logger.FolderNotWatched(folder, interval.TotalSeconds, reason.Message);
        }
    }
}

internal static partial class FolderWatchLog   // event ids 1600-1699
{
    [LoggerMessage(1601, LogLevel.Warning, "Changes in {Folder} are only seen every {IntervalSeconds} s, because the system refuses to watch it: {Reason} On Linux, raise fs.inotify.max_user_instances or fs.inotify.max_user_watches (sysctl)")]
    public static partial void FolderNotWatched(this ILogger logger, string folder, double intervalSeconds, string reason);
}
