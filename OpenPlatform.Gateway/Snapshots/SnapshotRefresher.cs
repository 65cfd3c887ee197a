using System.Globalization;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Gateway.State;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>
/// Keeps the snapshot current: disk first, so that the gateway serves before anybody answers; then the catalog's stream, over which every revision
/// comes by itself. Three nets are under it: a stream that is silent is left, one that lacks a revision of which Redis or another replica of the
/// catalog speaks is left, and a catalog without a stream is asked for everything in one piece.
/// </summary>
internal sealed class SnapshotRefresher(
    ActiveSnapshot active, ShardFiles files, CatalogClient catalog, ManifestSigner signer, OptionalRedis redis, IOptions<SnapshotOptions> options, TimeProvider time,
    ILogger<SnapshotRefresher> logger) : BackgroundService
{
    /// <summary>How long the stream may take to bring a revision of which Redis spoke.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <summary>Between two writes to disk.</summary>
    private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _poke = new(0, 1);
    private readonly PendingChange _pending = new();
    private readonly BackgroundThread _thread = new("snapshots");
    private long _hinted;
    private bool _away;

    // What the catalog believes this gateway has: all that was received, be it applied, waiting or refused.
    private volatile ConfigManifest? _received;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        active.Restore();
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (files.Take() is { } waited) // for the pause to be over
        {
            files.Write(waited);
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _poke.Dispose();
        _thread.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.Run(() => RefreshAsync(stoppingToken), CancellationToken.None);

    private async Task RefreshAsync(CancellationToken stoppingToken)
    {
        using var subscription = redis.Client?.Subscribe(InternalApi.RevisionChannel, Hint);
        var keeping = KeepAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            var atOnce = false;
            try
            {
                atOnce = await FollowAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Whatever it is, the snapshot in force stays in force and the catalog is asked again.
                if (!_away)
                {
                    _away = true;
                    logger.CatalogAway(active.Current?.Revision ?? -1, e.Message);
                }

                if (e is InvalidDataException)
                {
                    _received = null; // begin with nothing: what was believed to be here does not fit
                }
            }

            if (!atOnce)
            {
                await PauseAsync(stoppingToken);
            }
        }

        await Task.WhenAll(keeping, _thread.RunAsync(static () => { })).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // what is being applied
    }

    /// <summary>Follows the stream until it ends; true: another one is to be followed at once.</summary>
    private async Task<bool> FollowAsync(CancellationToken stoppingToken)
    {
        using var silence = new CancellationTokenSource(options.Value.FetchTimeout, time);
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, silence.Token);
        var have = _received?.Shards ?? active.Current?.Shards ?? ShardHashes.Empty;
        using var response = await catalog.FollowAsync(have, leave.Token);
        if (response is null)
        {
            await FetchWholeAsync(leave.Token);
            Back();
            return false;
        }

        var reader = new ConfigReader(await response.Content.ReadAsStreamAsync(leave.Token), have, signer, _thread, Received);
        var since = time.GetTimestamp();
        var watching = WatchAsync(leave);
        try
        {
            while (true)
            {
                silence.CancelAfter(options.Value.SilenceTimeout);
                await reader.ReadAsync(leave.Token);
                Back();
            }
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested && e is OperationCanceledException or IOException)
        {
            // Silent, behind, or the replica left: there may be another one. Not again and again at once, should each end immediately.
            logger.StreamEnded(_received?.Revision ?? -1, e.Message);
            return time.GetElapsedTime(since) > options.Value.PollInterval;
        }
        finally
        {
            await leave.CancelAsync();
            await watching;
        }
    }

    /// <summary>Leaves a stream that does not bring what others know of.</summary>
    private async Task WatchAsync(CancellationTokenSource leave)
    {
        var behind = 0L;
        while (!leave.IsCancellationRequested)
        {
            await PauseAsync(leave.Token);
            try
            {
                var hinted = Interlocked.Exchange(ref _hinted, 0);
                if (hinted > (_received?.Revision ?? 0))
                {
                    await Task.Delay(Patience, time, leave.Token);
                    if (hinted > (_received?.Revision ?? 0))
                    {
                        await leave.CancelAsync();
                    }

                    continue;
                }

                // Any replica answers. Twice behind the same revision is not merely on its way.
                var latest = hinted == 0 ? await catalog.RevisionAsync(leave.Token) : 0;
                if (latest > (_received?.Revision ?? 0) && latest == Interlocked.Exchange(ref behind, latest))
                {
                    await leave.CancelAsync();
                }
            }
            catch (Exception)
            {
                // The stream itself finds out whether the catalog is away.
            }
        }
    }

    private async Task FetchWholeAsync(CancellationToken cancellationToken)
    {
        if (await catalog.FetchSnapshotAsync(cancellationToken) is { } json)
        {
            await _thread.RunAsync(() => active.TryApply(json, keep: true, announce: false));
            active.Announce();
        }
    }

    /// <summary>On the thread that gives way, which applies it next.</summary>
    private void Received(ConfigManifest manifest, IReadOnlyList<ReceivedShard> shards)
    {
        _received = manifest;
        _pending.Add(manifest, shards);
        _ = ApplyAsync();
    }

    private async Task ApplyAsync()
    {
        ConfigManifest? manifest = null;
        try
        {
            await _thread.RunAsync(() =>
            {
                if (_pending.TryTake(out manifest, out var shards))
                {
                    active.Apply(manifest, shards, announce: false);
                }
            });
            active.Announce();
        }
        catch (Exception e)
        {
            logger.SnapshotRefused(manifest?.Revision ?? -1, e.Message);
        }
    }

    private async Task KeepAsync(CancellationToken stoppingToken)
    {
        using var changed = new SemaphoreSlim(1, 1);
        void Changed()
        {
            try
            {
                changed.Release();
            }
            catch (SemaphoreFullException)
            {
                // One write serves both.
            }
        }

        active.Applied += Changed;
        while (!stoppingToken.IsCancellationRequested)
        {
            await ((Task)changed.WaitAsync(TimeSpan.FromSeconds(1), stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

            // Writing is not for the thread that gives way: put aside in the middle, it would hold up whoever else waits for the file system's journal.
            ShardFiles.Files? taken = null;
            await _thread.RunAsync(() => taken = files.Take());
            if (taken is not null)
            {
                await Task.Run(() => files.Write(taken), CancellationToken.None);
            }

            // Changes in a row become one write: each waits for the disk twice, on which a catalog beside it may be waiting, too.
            await Task.Delay(ShortestPause, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Back()
    {
        if (_away)
        {
            _away = false;
            logger.CatalogBack();
        }
    }

    private async Task PauseAsync(CancellationToken cancellationToken) =>
        await ((Task)_poke.WaitAsync(options.Value.PollInterval * (0.8 + (0.2 * Random.Shared.NextDouble())), cancellationToken))
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private void Hint(string message)
    {
        if (long.TryParse(message, NumberStyles.None, CultureInfo.InvariantCulture, out var revision))
        {
            Interlocked.Exchange(ref _hinted, revision);
        }

        try
        {
            _poke.Release();
        }
        catch (SemaphoreFullException)
        {
            // Poked already and not yet awake: one look serves both.
        }
    }
}
