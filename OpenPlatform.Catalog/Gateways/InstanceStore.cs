using System.Text.Json;
using Dapper;
using Npgsql;
using OpenPlatform.Contracts;

namespace OpenPlatform.Catalog.Gateways;

/// <summary>Which instances gateways know. The word of one that has been silent does not count any more.</summary>
internal sealed class InstanceStore(NpgsqlDataSource database, TimeProvider time)
{
    /// <summary>A gateway says it again every 15 s.</summary>
    private static readonly TimeSpan Counts = TimeSpan.FromSeconds(45);

    private static readonly TimeSpan Forgotten = TimeSpan.FromHours(1);

    /// <summary>Does not wait for the disk: what a crash loses is said again within seconds.</summary>
    public async Task SaveAsync(InstanceReport report, CancellationToken cancellationToken)
    {
        var byBackend = report.Instances.GroupBy(static instance => instance.BackendId).ToDictionary(static backend => backend.Key.ToString(), static backend => backend.ToArray());
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            set local synchronous_commit = off;

            insert into gateway_instances (gateway, instances, seen_at) values (@Gateway, @Instances::jsonb, @Now)
            on conflict (gateway) do update set instances = excluded.instances, seen_at = excluded.seen_at;

            delete from gateway_instances where seen_at < @Old;
            """,
            new { report.Gateway, Instances = JsonSerializer.Serialize(byBackend, JsonSerializerOptions.Web), Now = time.GetUtcNow(), Old = time.GetUtcNow() - Forgotten },
            transaction, cancellationToken: cancellationToken));
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Instances of a backend by address, up to <paramref name="fetch"/>; null when there is no such backend.</summary>
    /// <param name="after">Only addresses behind this one.</param>
    public async Task<IReadOnlyList<BackendInstance>?> FindOrNullAsync(Guid backendId, string after, int fetch, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var results = await connection.QueryMultipleAsync(new CommandDefinition(
            """
            select exists (select from backends where id = @backendId);

            select address, id, zone, source, weight, state, ejected_because, gateway, seen_at
            from (
                select i.address collate "C" as address, i.id, i.zone, i.source, i.weight, i.state, i."ejectedBecause" as ejected_because, g.gateway, g.seen_at,
                       dense_rank() over (order by i.address collate "C") as n
                from gateway_instances g
                cross join jsonb_to_recordset(g.instances -> @backendId::text)
                    as i (address text, id text, zone text, source text, weight int, state text, "ejectedBecause" text)
                where g.seen_at > @Since and i.address collate "C" > @after
            ) as seen
            where n <= @fetch
            order by address, seen_at desc, gateway
            """, new { backendId, Since = time.GetUtcNow() - Counts, after, fetch }, cancellationToken: cancellationToken));
        if (!await results.ReadSingleAsync<bool>())
        {
            return null;
        }

        return
        [
            .. (await results.ReadAsync<Row>()).GroupBy(static row => row.Address, StringComparer.Ordinal).Select(static rows =>
            {
                var newest = rows.First();
                return new BackendInstance(
                    newest.Address, newest.Id, newest.Zone, newest.Source, newest.Weight,
                    [.. rows.OrderBy(static row => row.Gateway, StringComparer.Ordinal).Select(static row => new InstanceView(row.Gateway, row.State, row.EjectedBecause, row.SeenAt))]);
            }),
        ];
    }

    private sealed record Row(
        string Address, string Id, string? Zone, string Source, int Weight, string State, string? EjectedBecause, string Gateway, DateTimeOffset SeenAt);
}

/// <summary>An instance of a backend, as gateways see it.</summary>
/// <param name="Address">Where it is called.</param>
/// <param name="Id">Its lease's, or a name made of its address.</param>
/// <param name="Source">Who told of it: <c>lease</c>, <c>file</c>, <c>dns</c>, <c>snapshot</c> or <c>configuration</c>.</param>
/// <param name="Weight">1 to 1000; 100 is normal.</param>
/// <param name="Gateways">What each gateway that knows it makes of it. One that is missing here does not know it.</param>
public sealed record BackendInstance(string Address, string Id, string? Zone, string Source, int Weight, IReadOnlyList<InstanceView> Gateways);

/// <summary>What one gateway makes of an instance.</summary>
/// <param name="State"><c>starting</c>, <c>ready</c>, <c>ramping</c>, <c>draining</c> or <c>ejected</c>.</param>
/// <param name="EjectedBecause">Null unless ejected.</param>
/// <param name="SeenAt">When the gateway said so; every 15 s at the latest while it lives.</param>
public sealed record InstanceView(string Gateway, string State, string? EjectedBecause, DateTimeOffset SeenAt);
