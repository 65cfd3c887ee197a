using System.Text.Json;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Snapshots;

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
            throw new InvalidOperationException($"{file.Path} cannot be served; its problems are above.");
        }

        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The watcher tells at once; the poll is the net for file systems that tell nothing (network shares, mounted ConfigMaps).
        using var folder = new PhysicalFileProvider(Path.GetDirectoryName(file.Path)!);
        while (!stoppingToken.IsCancellationRequested)
        {
            var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var watch = ChangeToken.OnChange(() => folder.Watch(Path.GetFileName(file.Path)), () => changed.TrySetResult());
            if (Version() == _seen)
            {
                await Task.WhenAny(changed.Task, Task.Delay(options.Value.PollInterval, time, stoppingToken));
            }

            // An editor writes in several steps: what is half there is refused, and read again when the rest has come.
            if (!stoppingToken.IsCancellationRequested && Version() is var version && version != _seen)
            {
                _seen = version;
                Apply();
            }
        }
    }

    private bool Apply()
    {
        var (snapshot, problems) = file.Read();
        foreach (var problem in problems)
        {
            logger.FileRefused(problem);
        }

        return snapshot is not null && active.TryApply(JsonSerializer.SerializeToUtf8Bytes(snapshot, SnapshotJson.Default.Snapshot), keep: false);
    }

    private (DateTime Written, long Length) Version() => new FileInfo(file.Path) is { Exists: true } info ? (info.LastWriteTimeUtc, info.Length) : default;
}
