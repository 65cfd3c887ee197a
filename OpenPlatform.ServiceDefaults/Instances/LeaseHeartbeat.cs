using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using OpenPlatform.ServiceDefaults.Health;
using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.ServiceDefaults.Instances;

/// <summary>
/// Keeps this instance in the registry. Listening and healthy: the first lease, then one per heartbeat. Asked to stop: the lease
/// says <see cref="InstanceStatus.Draining"/>, requests are still taken for the propagation delay, the server finishes what it
/// has, the lease is removed. Killed: the lease ends by itself. Redis away: the service never notices.
/// </summary>
internal sealed class LeaseHeartbeat(
    IServiceProvider services, ServiceIdentity identity, IOptions<LeaseOptions> options, DrainState drain, LeaseMetrics metrics, TimeProvider time,
    ILogger<LeaseHeartbeat> logger) : IHostedLifecycleService, IDisposable
{
    private static readonly TimeSpan ReadinessPoll = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _writing = new(1, 1); // a heartbeat that began before the drain must not overwrite it
    private LeaseStore? _store;
    private Uri? _address;
    private Task _beating = Task.CompletedTask;
    private bool _away;
    private int _stopped;

    // The server listens when this is called: it is one of the hosted services that have started.
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Key is null)
        {
            logger.NoLease($"{LeaseOptions.Section}:Key is not set");
            return Task.CompletedTask;
        }

        if (!LeaseText.IsService(identity.Service))
        {
            logger.NoLease("the service's name is not 1 to 64 characters of A-Z a-z 0-9 . _ -");
            return Task.CompletedTask;
        }

        _address = options.Value.Address ?? LeaseAddress.FindOrNull(services.GetRequiredService<IServer>());
        if (_address is null)
        {
            logger.NoLease("the server listens on no address");
            return Task.CompletedTask;
        }

        try
        {
            _store = new LeaseStore(services.GetRequiredService<IRedis>());
        }
        catch (InvalidOperationException e)
        {
            logger.NoLease(e.Message); // no connection string: a service that runs on its own
            return Task.CompletedTask;
        }

        _beating = Task.Run(BeatAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        drain.Begin();
        if (_store is null || Volatile.Read(ref _stopped) == 1)
        {
            return;
        }

        await WriteAsync(announce: true, cancellationToken);
        logger.Draining(identity.InstanceId, options.Value.PropagationDelay.TotalMilliseconds);
        await Task.Delay(options.Value.PropagationDelay, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // By now the server has finished its requests. Until here the heartbeats went on, saying "draining".
    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _stopped, 1) == 1)
        {
            return; // a host may be stopped twice, the second time when this is disposed already
        }

        await _stop.CancelAsync();
        await _beating;
        if (_store is null)
        {
            return;
        }

        try
        {
            await _store.RemoveAsync(identity.Service, identity.InstanceId, cancellationToken);
            await _store.AnnounceAsync(identity.Service, cancellationToken);
            logger.Released(identity.InstanceId);
        }
        catch (Exception e) when (e is RedisUnavailableException or RedisServerException or OperationCanceledException)
        {
            // It ends by itself within its time to live.
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task BeatAsync()
    {
        try
        {
            await UntilHealthyAsync();
            using var timer = new PeriodicTimer(options.Value.Heartbeat, time);
            var announced = await WriteAsync(announce: true, _stop.Token);
            if (announced)
            {
                logger.Registered(identity.Service, identity.InstanceId, _address!);
            }

            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                // After an outage the others are told again: their view may have been kept without us.
                announced = await WriteAsync(announce: !announced, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private async Task UntilHealthyAsync()
    {
        var health = services.GetRequiredService<HealthCheckService>();
        while ((await health.CheckHealthAsync(_stop.Token)).Status == HealthStatus.Unhealthy && !drain.IsDraining)
        {
            await Task.Delay(ReadinessPoll, time, _stop.Token);
        }
    }

    private async Task<bool> WriteAsync(bool announce, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            var settings = options.Value;
            var lease = new InstanceLease(
                identity.Service, identity.InstanceId, _address!, settings.Zone, settings.Weight,
                drain.IsDraining ? InstanceStatus.Draining : InstanceStatus.Ready, time.GetUtcNow() + settings.TimeToLive);
            await _store!.WriteAsync(lease, LeaseText.Sign(lease, Encoding.UTF8.GetBytes(settings.Key!)), settings.TimeToLive, cancellationToken);
            if (announce)
            {
                await _store.AnnounceAsync(identity.Service, cancellationToken);
            }

            metrics.Heartbeat(written: true);
            _away = false;
            return true;
        }
        catch (Exception e) when (e is RedisUnavailableException or RedisServerException)
        {
            metrics.Heartbeat(written: false);
            if (!_away)
            {
                _away = true;
                logger.HeartbeatFailed(e.Message);
            }

            return false;
        }
        finally
        {
            _writing.Release();
        }
    }

    public void Dispose()
    {
        _stop.Dispose();
        _writing.Dispose();
    }
}

internal static partial class LeaseLog   // event ids 2200-2299
{
    [LoggerMessage(2201, LogLevel.Information, "This instance has no lease: {Reason}")]
    public static partial void NoLease(this ILogger logger, string reason);

    [LoggerMessage(2202, LogLevel.Information, "Registered {Service} instance {InstanceId} at {Address}")]
    public static partial void Registered(this ILogger logger, string service, string instanceId, Uri address);

    [LoggerMessage(2203, LogLevel.Information, "Instance {InstanceId} drains; new requests are taken for another {DelayMs} ms")]
    public static partial void Draining(this ILogger logger, string instanceId, double delayMs);

    [LoggerMessage(2204, LogLevel.Information, "Released the lease of instance {InstanceId}")]
    public static partial void Released(this ILogger logger, string instanceId);

    [LoggerMessage(2205, LogLevel.Warning, "The lease cannot be renewed, trying again at every heartbeat: {Reason}")]
    public static partial void HeartbeatFailed(this ILogger logger, string reason);
}
