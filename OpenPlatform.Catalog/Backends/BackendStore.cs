using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Backends;

internal sealed class BackendStore(NpgsqlDataSource database)
{
    private const string Columns = "id, name, service, addresses, created_at, etag";

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
    public static async Task<Outcome<Backend>> InsertAsync(ConfigChange change, BackendRequest request)
    {
        var row = new Row(Guid.CreateVersion7(change.Now), request.Name!, request.Service, [.. (request.Addresses ?? []).Select(static address => address!)], change.Now, 1);
        var inserted = await change.Connection.ExecuteAsync(change.Sql(
            "insert into backends (id, name, service, addresses, created_at) values (@Id, @Name, @Service, @Addresses, @CreatedAt) on conflict (name) do nothing", row));
        return inserted == 1 ? row.ToBackend() : CatalogProblem.Conflict("/name", $"there is a backend {request.Name} already");
    }

    private sealed record Row(Guid Id, string Name, string? Service, string[] Addresses, DateTimeOffset CreatedAt, long Etag)
    {
        public Backend ToBackend() => new(Id, Name, Service, Addresses, CreatedAt, Etag);
    }
}
