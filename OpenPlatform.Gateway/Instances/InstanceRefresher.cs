using OpenPlatform.Gateway.Limits;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.ServiceDefaults.Instances;
using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.Gateway.Instances;

/// <summary>Reads the lease registry every 500 ms and at once when it pokes or a new snapshot is in force.</summary>
internal sealed class InstanceRefresher(
    ActiveSnapshot active, InstanceDirectory directory, GatewayCount gateways, LimiterTable limiters, ServiceIdentity identity, IServiceProvider services, ILogger<InstanceRefresher> logger)
    : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private readonly SemaphoreSlim _poke = new(0, 1);

    public override void Dispose()
    {
        _poke.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (services.GetService<ILeaseRegistry>() is not { } registry)
        {
            return;
        }

        active.BackendsApplied += Poke;
        using var subscription = registry.Subscribe(_ => Poke());
        var away = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RefreshAsync(registry, stoppingToken);
                if (away)
                {
                    away = false;
                    logger.RegistryBack();
                }
            }
            catch (Exception e) when (e is RedisUnavailableException or RedisServerException)
            {
                if (!away)
                {
                    away = true;
                    logger.RegistryAway(e.Message);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }

            limiters.Sweep();
            await ((Task)_poke.WaitAsync(Interval, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        active.BackendsApplied -= Poke;
    }

    private async Task RefreshAsync(ILeaseRegistry registry, CancellationToken cancellationToken)
    {
        foreach (var backend in directory.Backends)
        {
            if (backend.Model.Service is { } service)
            {
                directory.Apply(backend, await registry.ReadAsync(service, cancellationToken));
            }
        }

        var peers = await registry.ReadAsync(identity.Service, cancellationToken);
        if (peers.Count > 0)
        {
            gateways.Live = peers.Count(static p => p.Status == InstanceStatus.Ready);
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
            // Poked already and not yet awake: one read serves both.
        }
    }
}
