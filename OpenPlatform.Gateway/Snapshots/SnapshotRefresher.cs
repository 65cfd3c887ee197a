using Microsoft.Extensions.Options;
using OpenPlatform.Contracts;
using OpenPlatform.Gateway.State;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>
/// Keeps the snapshot current: disk first, so that the gateway serves before anybody answers; then the catalog, asked at every
/// poke of Redis and, as the net under it, at every poll.
/// </summary>
internal sealed class SnapshotRefresher(
    ActiveSnapshot active, CatalogClient catalog, OptionalRedis redis, IOptions<SnapshotOptions> options, TimeProvider time, ILogger<SnapshotRefresher> logger)
    : BackgroundService
{
    private readonly SemaphoreSlim _poke = new(0, 1);

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        active.Restore();
        return base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _poke.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var subscription = redis.Client?.Subscribe(InternalApi.RevisionChannel, _ => Poke());
        var away = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                using var timeout = new CancellationTokenSource(options.Value.FetchTimeout, time);
                using var linked = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, timeout.Token);
                if (await catalog.FetchSnapshotAsync(linked.Token) is { } json)
                {
                    // Off this thread, which may be a socket's: compiling takes longer than its other requests should wait.
                    await Task.Run(() => active.TryApply(json, keep: true), stoppingToken);
                }

                if (away)
                {
                    away = false;
                    logger.CatalogBack();
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Whatever it is, the snapshot in force stays in force and the catalog is asked again.
                if (!away)
                {
                    away = true;
                    logger.CatalogAway(active.Current?.Revision ?? -1, e.Message);
                }
            }

            await ((Task)_poke.WaitAsync(options.Value.PollInterval * (0.8 + (0.2 * Random.Shared.NextDouble())), stoppingToken))
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Poke()
    {
        try
        {
            _poke.Release();
        }
        catch (SemaphoreFullException)
        {
            // Poked already and not yet awake: one fetch serves both.
        }
    }
}
