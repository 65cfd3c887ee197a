using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Organizations;

internal sealed class OrganizationStore(NpgsqlDataSource database)
{
    private const string Columns = "id, name, created_at, etag";

    public async Task<Organization?> FindOrNullAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<Organization>(
            new($"select {Columns} from organizations where id = @id", new { id }, cancellationToken: cancellationToken));
    }

    public async Task<IReadOnlyList<Organization>> ListAsync(PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<Organization>(
            new($"select {Columns} from organizations where id > @After order by id limit @Fetch", page, cancellationToken: cancellationToken))).AsList();
    }

    /// <summary>The new organization, or a conflict about its name.</summary>
    public static async Task<Outcome<Organization>> InsertAsync(ConfigChange change, OrganizationRequest request)
    {
        var organization = new Organization(Guid.CreateVersion7(change.Now), request.Name!, change.Now, 1);
        var inserted = await change.Connection.ExecuteAsync(change.Sql(
            "insert into organizations (id, name, created_at) values (@Id, @Name, @CreatedAt) on conflict (name) do nothing", organization));
        return inserted == 1 ? organization : CatalogProblem.Conflict("/name", $"there is an organization {request.Name} already");
    }
}
