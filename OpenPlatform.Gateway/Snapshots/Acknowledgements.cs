using Microsoft.Extensions.Options;
using OpenPlatform.ServiceDefaults.Instances;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>Tells the catalog what this gateway runs: after each change, and now and then to say that it lives. Nothing waits for it.</summary>
internal sealed class Acknowledgements(
    ActiveSnapshot active, CatalogClient catalog, ServiceIdentity identity, IOptions<LeaseOptions> lease, IOptions<SnapshotOptions> options, TimeProvider time) : BackgroundService
{
    private const int LongestReason = 2_000;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>Many changes in a row are one word: each costs the catalog a row, and traffic is what gateways are for.</summary>
    private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _changed = new(0, 1);

    public override void Dispose()
    {
        base.Dispose();
        _changed.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        active.Applied += Changed;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (active.Current is { Revision: >= 0 } current)
                {
                    using var timeout = new CancellationTokenSource(options.Value.FetchTimeout, time);
                    using var linked = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, timeout.Token);
                    await catalog.AcknowledgeAsync(
                        new(identity.InstanceId, lease.Value.Address?.ToString(), lease.Value.Zone, current.Revision, (long)active.Lag.TotalMilliseconds,
                            [.. active.Refused.Select(static refused => refused with { Reason = refused.Reason[..Math.Min(refused.Reason.Length, LongestReason)] })]),
                        linked.Token);
                }
            }
            catch (Exception) when (!stoppingToken.IsCancellationRequested)
            {
                // Whether the catalog is away is said by those who need something of it; the next word is as good as this one.
            }
            catch (OperationCanceledException)
            {
                break;
            }

            await Task.Delay(ShortestPause, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await ((Task)_changed.WaitAsync(Interval, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        active.Applied -= Changed;
    }

    private void Changed()
    {
        try
        {
            _changed.Release();
        }
        catch (SemaphoreFullException)
        {
            // One word says both.
        }
    }
}
