using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Accounts;

internal sealed class AccountStore(NpgsqlDataSource database)
{
    private const string Columns = "id, name, roles, organization_id, disabled, created_at, etag";

    public async Task<Account?> FindOrNullAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QuerySingleOrDefaultAsync<Row>(new($"select {Columns} from accounts where id = @id", new { id }, cancellationToken: cancellationToken)))?.ToAccount();
    }

    public async Task<IReadOnlyList<Account>> ListAsync(PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new($"select {Columns} from accounts where id > @After order by id limit @Fetch", page, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToAccount())];
    }

    /// <summary>The new account; 422 for an unknown organization, or a conflict about its name.</summary>
    public static async Task<Outcome<Account>> InsertAsync(ConfigChange change, AccountRequest request, PasswordHash password)
    {
        if (await UnknownOrganizationAsync(change, request.OrganizationId) is { } problem)
        {
            return problem;
        }

        var row = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql(
            $"""
            insert into accounts (id, name, roles, organization_id, password_hash, password_salt, password_iterations, created_at)
            values (@Id, @Name, @Roles, @OrganizationId, @Hash, @Salt, @Iterations, @Now) on conflict (name) do nothing returning {Columns}
            """,
            new { Id = Guid.CreateVersion7(change.Now), request.Name, Roles = RoleNames.Of(request.Roles!), request.OrganizationId, password.Hash, password.Salt, password.Iterations, change.Now }));
        return row is null ? CatalogProblem.Conflict("/name", $"there is an account {request.Name} already") : row.ToAccount();
    }

    /// <summary>The changed account. Who loses a role, an organization or the right to come in loses its sessions.</summary>
    public static async Task<Outcome<Account>> PatchAsync(ConfigChange change, Guid id, MergePatch patch, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found;
        }

        var current = found.Value;
        var request = patch.ApplyTo(new AccountPatch(current.Roles, current.OrganizationId, current.Disabled));
        if ((request.Check() ?? await UnknownOrganizationAsync(change, request.OrganizationId)) is { } problem)
        {
            return problem;
        }

        var changed = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql(
            $"""
            update accounts set roles = @Roles, organization_id = @OrganizationId, disabled = @Disabled, etag = etag + 1
            where id = @id and (roles, organization_id, disabled) is distinct from (@Roles, @OrganizationId, @Disabled) returning {Columns}
            """, new { id, Roles = RoleNames.Of(request.Roles!), request.OrganizationId, request.Disabled }));
        if (changed is null)
        {
            return current;
        }

        await SessionStore.EndAllAsync(change, id);
        return changed.ToAccount();
    }

    /// <summary>The account with another password and without sessions.</summary>
    public static async Task<Outcome<Account>> SetPasswordAsync(ConfigChange change, Guid id, PasswordHash password, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found;
        }

        await SessionStore.EndAllAsync(change, id);
        return (await change.Connection.QuerySingleAsync<Row>(change.Sql(
            $"""
            update accounts set password_hash = @Hash, password_salt = @Salt, password_iterations = @Iterations, etag = etag + 1 where id = @id returning {Columns}
            """, new { id, password.Hash, password.Salt, password.Iterations }))).ToAccount();
    }

    public static async Task<Outcome<bool>> DeleteAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        if ((await LockAsync(change, id, ifMatch)).Problem is { } problem)
        {
            return problem;
        }

        await change.Connection.ExecuteAsync(change.Sql("delete from accounts where id = @id", new { id }));
        return true;
    }

    /// <summary>Null when there is none to know or it is known.</summary>
    public static async Task<CatalogProblem?> UnknownOrganizationAsync(ConfigChange change, Guid? organizationId) =>
        organizationId is null || await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from organizations where id = @organizationId)", new { organizationId }))
            ? null
            : CatalogProblem.Invalid(new ProblemError("/organizationId", $"names no organization: {organizationId}"));

    private static async Task<Outcome<Account>> LockAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var row = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql($"select {Columns} from accounts where id = @id for update", new { id }));
        return row is null ? CatalogProblem.NotFound("account", id) : ifMatch.Check(row.Etag) is { } problem ? problem : row.ToAccount();
    }

    private sealed record Row(Guid Id, string Name, string[] Roles, Guid? OrganizationId, bool Disabled, DateTimeOffset CreatedAt, long Etag)
    {
        public Account ToAccount() => new(Id, Name, RoleNames.Roles(Roles), OrganizationId, Disabled, CreatedAt, Etag);
    }
}
