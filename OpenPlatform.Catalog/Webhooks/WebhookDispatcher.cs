using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Npgsql;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Webhooks;

/// <summary>
/// Sends what is due, on every catalog: Postgres hands each delivery to one of them at a time. Each webhook has its own pump, so one that is
/// slow or down delays no other. What a killed catalog had in hand is sent again when its claim ends, under the same id.
/// </summary>
internal sealed partial class WebhookDispatcher(
    DeliveryStore deliveries, WebhookSender sender, WebhookMetrics metrics, StorageState storage, NpgsqlDataSource database, IOptions<WebhookOptions> options,
    TimeProvider time, ILogger<WebhookDispatcher> logger) : BackgroundService
{
    private const string Channel = "openplatform_webhooks";
    private const int BackoffGrowth = 3;

    private readonly ConcurrentDictionary<Guid, Task> _pumps = new();

    // Longer than a try can take: who still has the claim is at it, or dead.
    private TimeSpan ClaimFor => (2 * options.Value.Timeout) + TimeSpan.FromSeconds(2);

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
                await ListenAsync(stoppingToken);
            }
            catch (Exception exception) when (DatabaseFaults.IsAway(exception))
            {
                LogAway(exception.Message);
                await Task.Delay(options.Value.PollInterval, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception exception)
            {
                // Whatever it is, requests can be answered while nothing is sent; and an exception that left here would end the process.
                LogFailed(exception);
                await Task.Delay(options.Value.PollInterval, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        await Task.WhenAll(_pumps.Values);
    }

    private async Task ListenAsync(CancellationToken stoppingToken)
    {
        await using var connection = await database.OpenConnectionAsync(stoppingToken);
        await ExecuteAsync(connection, $"listen {Channel}", stoppingToken);
        try
        {
            await StartPumpsAsync(connection, stoppingToken);
        }
        finally
        {
            // Sessions are not reset when they go back to the pool.
            if (connection.State == System.Data.ConnectionState.Open)
            {
                await ExecuteAsync(connection, $"unlisten {Channel}", CancellationToken.None);
            }
        }
    }

    private async Task StartPumpsAsync(NpgsqlConnection connection, CancellationToken stoppingToken)
    {
        while (true)
        {
            foreach (var webhook in await deliveries.DueAsync(time.GetUtcNow(), stoppingToken))
            {
                // Added before it runs, and never again: a pump that ends takes itself away, however soon that is.
                var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                if (_pumps.TryAdd(webhook, ended.Task))
                {
                    _ = PumpAsync(webhook, ended, stoppingToken);
                }
            }

            await connection.WaitAsync(options.Value.PollInterval, stoppingToken);
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task PumpAsync(Guid webhook, TaskCompletionSource ended, CancellationToken stoppingToken)
    {
        await Task.Yield();
        try
        {
            while (await deliveries.ClaimAsync(webhook, options.Value.Concurrency, time.GetUtcNow(), ClaimFor, stoppingToken) is { Count: > 0 } claimed)
            {
                await Task.WhenAll(claimed.Select(delivery => SendAsync(webhook, delivery, stoppingToken)));
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // What was claimed is sent again by another.
        }
        catch (Exception exception)
        {
            LogBroken(exception, webhook);
        }
        finally
        {
            _pumps.TryRemove(webhook, out _);
            ended.SetResult();
        }
    }

    private async Task SendAsync(Guid webhook, ClaimedDelivery delivery, CancellationToken stoppingToken)
    {
        var result = await sender.SendAsync(webhook, delivery, stoppingToken);
        if (result.Error is null)
        {
            await deliveries.DeliveredAsync(webhook, delivery, result.Status!.Value, stoppingToken);
            metrics.Tried("delivered");
        }
        else if (result.IsFinal || delivery.Attempts >= options.Value.MaxAttempts)
        {
            await deliveries.FailedAsync(webhook, delivery, result.Status, result.Error, null, stoppingToken);
            metrics.Tried("dead");
            LogDead(webhook, delivery.EventId, delivery.Attempts, result.Error);
        }
        else
        {
            await deliveries.FailedAsync(webhook, delivery, result.Status, result.Error, time.GetUtcNow() + Backoff(delivery.Attempts), stoppingToken);
            metrics.Tried("failed");
        }
    }

    // Spread, so that what failed together does not come back together.
    private TimeSpan Backoff(int attempts)
    {
        var grown = options.Value.FirstBackoff.TotalMilliseconds * Math.Pow(BackoffGrowth, Math.Min(attempts - 1, 30));
        return TimeSpan.FromMilliseconds(Math.Min(grown, options.Value.LongestBackoff.TotalMilliseconds) * (0.8 + (0.4 * Random.Shared.NextDouble())));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Webhook {Webhook} does not get event {Event}, given up after {Attempts} tries: {Reason}")]
    private partial void LogDead(Guid webhook, Guid @event, int attempts, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Webhooks wait for Postgres: {Reason}")]
    private partial void LogAway(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Webhooks broke off and are tried again")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Sending to webhook {Webhook} broke off; it goes on with the next round")]
    private partial void LogBroken(Exception exception, Guid webhook);
}
