using System.Text.Json;
using Dapper;
using Npgsql;
using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Catalog.Gateways;

/// <summary>What gateways said last. Not configuration: it is written beside the row of writers, and forgotten an hour after the last word.</summary>
internal sealed class GatewayStore(NpgsqlDataSource database, TimeProvider time)
{
    private static readonly TimeSpan Forgotten = TimeSpan.FromHours(1);

    /// <summary>
    /// Does not wait for the disk, which writers of configuration are waiting for: what a crash loses is said again within seconds.
    /// An older word that arrives late changes nothing but the time: revisions only go forward, save after a restore of the database.
    /// </summary>
    public async Task SaveAsync(ConfigAck ack, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            set local synchronous_commit = off;

            insert into gateway_replicas (id, address, zone, revision, lag_ms, refused, seen_at)
            values (@Gateway, @Address, @Zone, @Revision, @LagMs, @Refused::jsonb, @Now)
            on conflict (id) do update set address = @Address, zone = @Zone, revision = @Revision, lag_ms = @LagMs, refused = @Refused::jsonb, seen_at = @Now;

            delete from gateway_replicas where seen_at < @Old;
            """,
            new
            {
                ack.Gateway, ack.Address, ack.Zone, ack.Revision, ack.LagMs, Refused = JsonSerializer.Serialize(ack.Refused, JsonSerializerOptions.Web),
                Now = time.GetUtcNow(), Old = time.GetUtcNow() - Forgotten,
            }, transaction, cancellationToken: cancellationToken));
        await transaction.CommitAsync(cancellationToken);
    }

    public async Task<IReadOnlyList<GatewayReplica>> ListAsync(string after, int fetch, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new CommandDefinition(
            """
            select id, address, zone, revision, lag_ms, (select revision from config_head) - revision as behind, refused::text, seen_at
            from gateway_replicas where id > @after order by id limit @fetch
            """, new { after, fetch }, cancellationToken: cancellationToken));
        return
        [
            .. rows.Select(static row => new GatewayReplica(
                row.Id, row.Address, row.Zone, row.Revision, Math.Max(0, row.Behind ?? 0), row.LagMs,
                JsonSerializer.Deserialize<RefusedShard[]>(row.Refused, JsonSerializerOptions.Web)!, row.SeenAt)),
        ];
    }

    private sealed record Row(string Id, string? Address, string? Zone, long Revision, long LagMs, long? Behind, string Refused, DateTimeOffset SeenAt);
}

/// <summary>One gateway replica, as it said last.</summary>
/// <param name="Revision">The newest that it has applied.</param>
/// <param name="RevisionsBehind">How many revisions came after that one.</param>
/// <param name="LagMs">How long that one took from the catalog's write to being in force, in ms, by two clocks.</param>
/// <param name="Refused">Shards that it cannot run, and why; it runs what it had under their names.</param>
/// <param name="SeenAt">When it said so. Every 10 s at the latest, while it lives.</param>
public sealed record GatewayReplica(
    string Id, string? Address, string? Zone, long Revision, long RevisionsBehind, long LagMs, IReadOnlyList<RefusedShard> Refused, DateTimeOffset SeenAt);
