using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Tokens;

/// <summary>
/// Sees to it that there is a key that signs and, in time, the next one. Each replica looks once a minute, because writers stand in a row anyway and
/// the second finds nothing to do: a leader would be one thing more that can be missing.
/// </summary>
internal sealed partial class SigningKeyMaintenance(
    NpgsqlDataSource database, ConfigChanges changes, SigningKeys keys, IOptions<TokenOptions> options, StorageState storage, TimeProvider time, ILogger<SigningKeyMaintenance> logger)
    : BackgroundService, IStartupWork
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <summary>At start-up: the first key, before anybody asks for a token.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (options.Value.IsOn && await IsDueAsync(cancellationToken))
        {
            await changes.ApplyAsync<bool>(async change => await keys.MaintainAsync(change), cancellationToken);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.Value.IsOn)
        {
            return;
        }

        await storage.WhenReady.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await RunAsync(stoppingToken);
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException or OperationCanceledException && !stoppingToken.IsCancellationRequested)
            {
                LogLater(e.Message);
            }
        }
    }

    /// <summary>A look without the writers' lock: nearly always there is nothing to do.</summary>
    private async Task<bool> IsDueAsync(CancellationToken cancellationToken)
    {
        var (settings, now) = (options.Value, time.GetUtcNow());
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<bool>(new(
            """
            select (select count(*) from token_keys where issuer = @Issuer and signs_from > @nextIfBefore) = 0
                or (select count(*) from token_keys where issuer = @Issuer and signs_from <= @endedBefore) > 1
                or exists (select from token_keys where issuer <> @Issuer and signs_from <= @past)
                or exists (select from token_revocations where expires_at <= @now)
                or exists (select from token_assertions where expires_at <= @now)
            """, new { settings.Issuer, now, past = now - settings.KeyLifetime, nextIfBefore = now - settings.KeyLifetime + settings.KeyAhead, endedBefore = now - settings.Lifetime - TimeSpan.FromMinutes(2) }, cancellationToken: cancellationToken));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The keys that sign tokens could not be looked after; again in a minute: {Reason}")]
    private partial void LogLater(string reason);
}
