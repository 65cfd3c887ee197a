using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Applications;

internal sealed class ApplicationStore(NpgsqlDataSource database)
{
    private const string Columns = "id, organization_id, name, suspended, created_at, etag";

    public async Task<Application?> FindOrNullAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<Application>(
            new($"select {Columns} from applications where id = @id", new { id }, cancellationToken: cancellationToken));
    }

    public async Task<IReadOnlyList<Application>> ListAsync(PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<Application>(
            new($"select {Columns} from applications where id > @After order by id limit @Fetch", page, cancellationToken: cancellationToken))).AsList();
    }

    /// <summary>The new application; 422 for an unknown organization, or a conflict about its name.</summary>
    public static async Task<Outcome<Application>> InsertAsync(ConfigChange change, ApplicationRequest request)
    {
        if (!await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from organizations where id = @OrganizationId)", new { request.OrganizationId })))
        {
            return CatalogProblem.Invalid(new ProblemError("/organizationId", $"names no organization: {request.OrganizationId}"));
        }

        var application = new Application(Guid.CreateVersion7(change.Now), request.OrganizationId!.Value, request.Name!, Suspended: false, change.Now, 1);
        var inserted = await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into applications (id, organization_id, name, suspended, created_at)
            values (@Id, @OrganizationId, @Name, @Suspended, @CreatedAt) on conflict (organization_id, name) do nothing
            """, application));
        return inserted == 1 ? application : CatalogProblem.Conflict("/name", $"the organization has an application {request.Name} already");
    }

    public static async Task<Outcome<Application>> SetSuspendedAsync(ConfigChange change, Guid id, bool suspended, IfMatch ifMatch)
    {
        var application = await change.Connection.QuerySingleOrDefaultAsync<Application>(change.Sql($"select {Columns} from applications where id = @id for update", new { id }));
        if (application is null)
        {
            return CatalogProblem.NotFound("application", id);
        }

        if (ifMatch.Check(application.Etag) is { } problem)
        {
            return problem;
        }

        if (application.Suspended == suspended)
        {
            return application;
        }

        return await change.Connection.QuerySingleAsync<Application>(change.Sql(
            $"update applications set suspended = @suspended, etag = etag + 1 where id = @id returning {Columns}", new { id, suspended }));
    }
}
