using System.Text.Json;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.Gateway.State;
using OpenPlatform.ServiceDefaults.Deployment;

namespace OpenPlatform.Gateway.StandAlone;

/// <summary>
/// Applies the file at the start, and again whenever it changes. A file that is wrong stops a start, and changes nothing later: the
/// snapshot in force stays.
/// </summary>
internal sealed class SnapshotFileWatcher(SnapshotFile file, ActiveSnapshot active, IOptions<SnapshotOptions> options, TimeProvider time, ILogger<SnapshotFileWatcher> logger)
    : BackgroundService
{
    private (DateTime Written, long Length) _seen;

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        _seen = Version();
        if (!Apply())
        {
            throw new StartRefusedException($"{file.Path} cannot be served; its problems are above.");
        }

        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The watcher tells at once; the poll is the net for file systems that tell nothing (network shares, mounted ConfigMaps).
        var changed = NewChange();
        using var watch = new FolderWatch(Path.GetDirectoryName(file.Path)!, () => Volatile.Read(ref changed).TrySetResult(), logger);
        while (!stoppingToken.IsCancellationRequested)
        {
            watch.Begin(options.Value.PollInterval);
            var change = NewChange();
            Volatile.Write(ref changed, change);
            if (Version() == _seen)
            {
                await Task.WhenAny(change.Task, Task.Delay(options.Value.PollInterval, time, stoppingToken));
            }

            // An editor writes in several steps: what is half there is refused, and read again when the rest has come.
            if (!stoppingToken.IsCancellationRequested && Version() is var version && version != _seen)
            {
                _seen = version;
                Apply();
            }
        }
    }

    private static TaskCompletionSource NewChange() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool Apply()
    {
        var (snapshot, problems) = file.Read();
        foreach (var problem in problems)
        {
            logger.FileRefused(problem);
        }

        return snapshot is not null && active.TryApply(JsonSerializer.SerializeToUtf8Bytes(snapshot, SnapshotJson.Default.Snapshot), keep: false);
    }

    private (DateTime Written, long Length) Version() => LinkedFile.Of(file.Path) is { Exists: true } info ? (info.LastWriteTimeUtc, info.Length) : default;
}
