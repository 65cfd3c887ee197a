using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Jobs;

/// <summary>
/// Takes the lease when it is free and runs the jobs that are due while it holds it. Everything it writes carries its token, so it may be
/// frozen, cut off or wrong about the time: the database knows better.
/// </summary>
internal sealed partial class JobLeader(
    Leadership leadership, JobRunner runner, IEnumerable<IJob> jobs, JobMetrics metrics, StorageState storage,
    IOptions<JobOptions> options, ILogger<JobLeader> logger) : BackgroundService
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan FarewellTimeout = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, long> _dueAt = new(StringComparer.Ordinal);

    /// <summary>This process, as operators see it.</summary>
    private string Holder { get; } = $"{Environment.MachineName}:{Environment.ProcessId}:{Guid.NewGuid().ToString("N")[..8]}";

    private TimeSpan Lease => options.Value.Lease;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.Value.Enabled)
        {
            return;
        }

        await storage.WhenReady.WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (await leadership.TryTakeAsync(Holder, Lease, stoppingToken) is { } token)
                {
                    await LeadAsync(token, stoppingToken);
                }
            }
            catch (Exception exception) when (DatabaseFaults.IsAway(exception))
            {
                LogAway(exception.Message);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                // Whatever it is, requests can be answered without jobs.
                LogFailed(exception);
            }

            await Task.Delay(Lease / 4, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task LeadAsync(long token, CancellationToken stoppingToken)
    {
        LogLeads(token);
        metrics.Leads(true);
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        var heartbeat = RenewUntilLostAsync(token, lost);
        try
        {
            await RunWhatIsDueAsync(token, lost.Token);
        }
        catch (StaleTokenException exception)
        {
            LogStale(exception.Message);
        }
        catch (OperationCanceledException) when (lost.IsCancellationRequested)
        {
            // Lost, or stopping.
        }
        finally
        {
            metrics.Leads(false);
            await lost.CancelAsync();
            await heartbeat;
            LogLeadsNoMore(token);
        }

        if (stoppingToken.IsCancellationRequested)
        {
            using var farewell = new CancellationTokenSource(FarewellTimeout);
            try
            {
                await leadership.ReleaseAsync(token, farewell.Token);
            }
            catch (Exception exception) when (exception is OperationCanceledException || DatabaseFaults.IsAway(exception))
            {
                // The lease ends by itself.
            }
        }
    }

    // Beside the jobs: a long one does not cost the lease.
    private async Task RenewUntilLostAsync(long token, CancellationTokenSource lost)
    {
        var renewed = Environment.TickCount64;
        while (!lost.IsCancellationRequested)
        {
            await Task.Delay(Lease / 4, lost.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                if (!lost.IsCancellationRequested && !await leadership.RenewAsync(token, Lease, lost.Token))
                {
                    await lost.CancelAsync();
                }

                renewed = Environment.TickCount64;
            }
            catch (Exception exception) when (exception is OperationCanceledException || DatabaseFaults.IsAway(exception))
            {
                if (Environment.TickCount64 - renewed > Lease.TotalMilliseconds)
                {
                    await lost.CancelAsync();
                }
            }
        }
    }

    private async Task RunWhatIsDueAsync(long token, CancellationToken cancellationToken)
    {
        _dueAt.Clear();
        while (true)
        {
            // Taken away before the run: who asks while it runs gets another one.
            var requested = await leadership.TakeRequestsAsync(token, cancellationToken);
            foreach (var job in jobs)
            {
                if (requested.Contains(job.Name) || Environment.TickCount64 >= _dueAt.GetValueOrDefault(job.Name))
                {
                    var result = await runner.RunAsync(job, Holder, token, cancellationToken);
                    _dueAt[job.Name] = result.HasMore ? 0 : Environment.TickCount64 + (long)job.Interval.TotalMilliseconds;
                }
            }

            await Task.Delay(Tick, cancellationToken);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Does the leader-only work with token {Token}")]
    private partial void LogLeads(long token);

    [LoggerMessage(Level = LogLevel.Information, Message = "Leaves the leader-only work, token {Token}")]
    private partial void LogLeadsNoMore(long token);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The database refused: {Reason} Nothing was changed")]
    private partial void LogStale(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Leader-only work broke off")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Leader-only work waits for Postgres: {Reason}")]
    private partial void LogAway(string reason);
}
