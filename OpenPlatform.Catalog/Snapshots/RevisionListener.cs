using System.Data;
using System.Globalization;
using Npgsql;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>
/// Hears of every commit of a revision, whichever replica made it: Postgres notifies at the commit. What is not heard, over a connection that died
/// without a word, is found by looking once a second.
/// </summary>
internal sealed partial class RevisionListener(NpgsqlDataSource database, ConfigFeed feed, StorageState storage, TimeProvider time, ILogger<RevisionListener> logger)
    : BackgroundService
{
    /// <summary>Channel of <c>pg_notify</c>; the payload is the revision.</summary>
    public const string Channel = "openplatform_revision";

    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (storage.IsReady)
                {
                    await ListenAsync(stoppingToken);
                }
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                LogNotListening(exception.Message);
            }

            await Task.Delay(storage.IsReady ? Look : Look / 10, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ListenAsync(CancellationToken stoppingToken)
    {
        await using var connection = await database.OpenConnectionAsync(stoppingToken);
        var heard = 0L;
        connection.Notification += (_, notification) => heard = long.TryParse(notification.Payload, NumberStyles.None, CultureInfo.InvariantCulture, out var revision) ? revision : 0;
        await ExecuteAsync(connection, "listen " + Channel, stoppingToken);
        try
        {
            await feed.RefreshAsync(stoppingToken);
            while (true)
            {
                if (!await connection.WaitAsync(Look, stoppingToken))
                {
                    await ExecuteAsync(connection, "select", stoppingToken); // fails on a connection that is dead and does not know it
                    heard = 0;
                }

                // What this replica wrote itself it knows. A lower number is of a database that was set back.
                if (heard == 0 || heard != feed.Revision)
                {
                    await feed.RefreshAsync(stoppingToken);
                }
            }
        }
        finally
        {
            // Whoever gets this connection from the pool hears nothing of it.
            if (connection.State == ConnectionState.Open)
            {
                await ExecuteAsync(connection, "unlisten " + Channel, CancellationToken.None);
            }
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Not listening for revisions for a second: {Reason}")]
    private partial void LogNotListening(string reason);
}
