using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Organizations;

internal sealed class OrganizationStore(NpgsqlDataSource database)
{
    private const string Columns = "id, name, created_at, etag";

    internal const string ById = $"select {Columns} from organizations where id = any(@keys)";

    private readonly KeyedReads<Guid, Organization> _byId = new(database, ById, static (organization, id) => organization.Id == id);

    /// <param name="caller">Sees its own.</param>
    public async Task<Organization?> FindOrNullAsync(Caller caller, Guid id) => caller.Sees(id) ? await _byId.FindOrNullAsync(id) : null;

    /// <param name="caller">Sees its own.</param>
    public async Task<IReadOnlyList<Organization>> ListAsync(Caller caller, PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<Organization>(new(ListSql(caller), new { caller.OrganizationId, page.After, page.Fetch }, cancellationToken: cancellationToken))).AsList();
    }

    internal static string ListSql(Caller caller) =>
        $"select {Columns} from organizations where {(caller.OrganizationId is null ? "" : "id = @OrganizationId and ")}id > @After order by id limit @Fetch";

    /// <summary>The new organization, or a conflict about its name.</summary>
    public static async Task<Outcome<Organization>> InsertAsync(ConfigChange change, OrganizationRequest request)
    {
        var organization = new Organization(Guid.CreateVersion7(change.Now), request.Name!, change.Now, 1);
        var inserted = await change.Connection.ExecuteAsync(change.Sql(
            "insert into organizations (id, name, created_at) values (@Id, @Name, @CreatedAt) on conflict (name) do nothing", organization));
        if (inserted == 0)
        {
            return CatalogProblem.Conflict("/name", $"there is an organization {request.Name} already");
        }

        Emit(change, organization, "created");
        return organization;
    }

    /// <summary>The organization under its new name, or a conflict about it.</summary>
    public static async Task<Outcome<Organization>> PatchAsync(ConfigChange change, Guid id, MergePatch patch, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found;
        }

        var request = patch.ApplyTo(new OrganizationRequest(found.Value.Name));
        if (request.Check() is { } problem)
        {
            return problem;
        }

        if (request.Name == found.Value.Name)
        {
            return found;
        }

        if (await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from organizations where name = @Name)", request)))
        {
            return CatalogProblem.Conflict("/name", $"there is an organization {request.Name} already");
        }

        var changed = await change.Connection.QuerySingleAsync<Organization>(change.Sql(
            $"update organizations set name = @Name, etag = etag + 1 where id = @id returning {Columns}", new { id, request.Name }));
        Emit(change, changed, "changed");
        return changed;
    }

    /// <summary>True, or a conflict while something belongs to it.</summary>
    public static async Task<Outcome<bool>> DeleteAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found.Problem;
        }

        if (await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from applications where organization_id = @id)", new { id })))
        {
            return CatalogProblem.Conflict("", "it has applications; delete them first");
        }

        try
        {
            await change.Connection.ExecuteAsync(change.Sql("delete from organizations where id = @id", new { id }));
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ForeignKeyViolation)
        {
            return CatalogProblem.Conflict("", "there are webhooks or accounts of it; delete them first");
        }

        Emit(change, found.Value, "deleted");
        return true;
    }

    /// <summary>Deletes those that nothing belongs to; gives their names.</summary>
    public static async Task<IReadOnlySet<string>> DeleteUnusedAsync(ConfigChange change, string[] names)
    {
        var deleted = (await change.Connection.QueryAsync<Organization>(change.Sql(
            $"""
            delete from organizations o where name = any(@names)
                and not exists (select from applications where organization_id = o.id) and not exists (select from accounts where organization_id = o.id)
                and not exists (select from access_tokens where organization_id = o.id) and not exists (select from webhooks where organization_id = o.id)
            returning {Columns}
            """, new { names }))).AsList();
        foreach (var organization in deleted)
        {
            Emit(change, organization, "deleted");
        }

        return deleted.Select(static organization => organization.Name).ToHashSet(StringComparer.Ordinal);
    }

    private static async Task<Outcome<Organization>> LockAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var organization = await change.Connection.QuerySingleOrDefaultAsync<Organization>(change.Sql($"select {Columns} from organizations where id = @id for update", new { id }));
        return organization is null || !change.Caller.Sees(id) ? CatalogProblem.NotFound("organization", id)
            : ifMatch.Check(organization.Etag) is { } problem ? problem
            : organization;
    }

    private static void Emit(ConfigChange change, Organization organization, string what) =>
        change.Emit($"openplatform.organization.{what}", $"organizations/{organization.Id}", organization, organization.Id);
}
