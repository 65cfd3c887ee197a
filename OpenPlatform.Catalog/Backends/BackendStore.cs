using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Backends;

internal sealed class BackendStore(NpgsqlDataSource database)
{
    private const string Columns = "id, name, service, addresses, protocol, balancing::text, health::text, dns::text, created_at, etag";

    public async Task<Backend?> FindOrNullAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var row = await connection.QuerySingleOrDefaultAsync<Row>(new($"select {Columns} from backends where id = @id", new { id }, cancellationToken: cancellationToken));
        return row?.ToBackend();
    }

    public async Task<IReadOnlyList<Backend>> ListAsync(PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new($"select {Columns} from backends where id > @After order by id limit @Fetch", page, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToBackend())];
    }

    /// <summary>The new backend, or a conflict about its name.</summary>
    public static async Task<Outcome<Backend>> InsertAsync(ConfigChange change, BackendModel backend)
    {
        var row = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql(
            $"""
            insert into backends (id, name, service, addresses, protocol, balancing, health, dns, created_at)
            values (@Id, @Name, @Service, @Addresses, @Protocol, @Balancing::jsonb, @Health::jsonb, @Dns::jsonb, @Now)
            on conflict (name) do nothing
            returning {Columns}
            """, Values(change, Guid.CreateVersion7(change.Now), backend)));
        return row is null ? CatalogProblem.Conflict("/name", $"there is a backend {backend.Name} already") : row.ToBackend();
    }

    /// <summary>Makes the backend of this name so, new or not; one that is so already keeps its ETag. Gives its id.</summary>
    public static Task<Guid> PutAsync(ConfigChange change, BackendModel backend) =>
        change.Connection.QuerySingleAsync<Guid>(change.Sql(
            """
            with put as (
                insert into backends as b (id, name, service, addresses, protocol, balancing, health, dns, created_at)
                values (@Id, @Name, @Service, @Addresses, @Protocol, @Balancing::jsonb, @Health::jsonb, @Dns::jsonb, @Now)
                on conflict (name) do update
                    set service = excluded.service, addresses = excluded.addresses, protocol = excluded.protocol,
                        balancing = excluded.balancing, health = excluded.health, dns = excluded.dns, etag = b.etag + 1
                    where (b.service, b.addresses, b.protocol, b.balancing, b.health, b.dns)
                        is distinct from (excluded.service, excluded.addresses, excluded.protocol, excluded.balancing, excluded.health, excluded.dns)
                returning id)
            select id from put union all select id from backends where name = @Name limit 1
            """, Values(change, Guid.CreateVersion7(change.Now), backend)));

    private static object Values(ConfigChange change, Guid id, BackendModel backend) => new
    {
        Id = id, backend.Name, backend.Service, Addresses = backend.Addresses.Select(static address => address.OriginalString).ToArray(), backend.Protocol,
        Balancing = PolicyJson.Text(backend.Balancing, SnapshotJson.Default.BalancingPolicy),
        Health = PolicyJson.Text(backend.Health, SnapshotJson.Default.HealthPolicy),
        Dns = PolicyJson.Text(backend.Dns, SnapshotJson.Default.DnsModel),
        change.Now,
    };

    private sealed record Row(
        Guid Id, string Name, string? Service, string[] Addresses, string? Protocol, string? Balancing, string? Health, string? Dns, DateTimeOffset CreatedAt, long Etag)
    {
        public Backend ToBackend() =>
            new(Id, Name, Service, Addresses, Protocol, PolicyJson.Element(Balancing), PolicyJson.Element(Health), PolicyJson.Element(Dns), CreatedAt, Etag);
    }
}
