using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.Gateway.State;

namespace OpenPlatform.Gateway.Instances;

/// <summary>
/// Reads <c>&lt;folder&gt;/&lt;service&gt;.json</c> for every backend with a service: when the folder changes, and at an interval, because
/// watches miss what mounted volumes do. A file that is wrong, empty or gone leaves what it said before.
/// </summary>
internal sealed class FileSource(
    InstanceDirectory directory, ActiveSnapshot active, IOptions<InstanceOptions> options, TimeProvider time, ILogger<FileSource> logger) : BackgroundService
{
    private readonly SemaphoreSlim _poke = new(0, 1);
    private Dictionary<BackendState, byte[]> _seen = [];

    public override void Dispose()
    {
        _poke.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Value.Directory is not { } folder)
        {
            return;
        }

        active.BackendsApplied += Poke;
        using var watch = new FolderWatch(folder, Poke, logger);
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                watch.Begin(options.Value.FilePoll);
                Look(folder);
                using var timer = time.CreateTimer(_ => Poke(), null, options.Value.FilePoll, Timeout.InfiniteTimeSpan);
                await ((Task)_poke.WaitAsync(stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        finally
        {
            active.BackendsApplied -= Poke;
        }
    }

    private void Look(string folder)
    {
        var seen = new Dictionary<BackendState, byte[]>();
        foreach (var backend in directory.Backends)
        {
            if (backend.Model.Service is not { } service || Read(Path.Combine(folder, service + ".json")) is not { } json)
            {
                continue;
            }

            seen[backend] = json;
            if (_seen.TryGetValue(backend, out var before) && before.AsSpan().SequenceEqual(json))
            {
                continue;
            }

            if (InstanceFile.Read(json, out var problem) is { } configs)
            {
                directory.Apply(backend, InstanceSource.File, configs);
            }
            else
            {
                logger.InstanceFileRefused(service, problem!);
            }
        }

        _seen = seen;
    }

    /// <summary>Null when it is not there or cannot be read.</summary>
    private byte[]? Read(string path)
    {
        try
        {
            var file = LinkedFile.Of(path);
            return !file.Exists ? null : file.Length <= InstanceFile.MaxBytes ? File.ReadAllBytes(path) : throw new IOException($"is larger than {InstanceFile.MaxBytes} bytes");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            logger.InstanceFileRefused(Path.GetFileNameWithoutExtension(path), e.Message);
            return null;
        }
    }

    private void Poke()
    {
        try
        {
            _poke.Release();
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // Poked already, or stopping.
        }
    }
}
