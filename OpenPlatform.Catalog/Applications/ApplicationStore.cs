using System.Text.Json;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Storage;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Applications;

internal sealed class ApplicationStore(NpgsqlDataSource database)
{
    private const string Columns = "id, organization_id, name, suspended, addresses::text as addresses, created_at, etag";

    internal const string ById = $"select {Columns} from applications where id = any(@keys)";

    private readonly KeyedReads<Guid, Row> _byId = new(database, ById, static (row, id) => row.Id == id);

    /// <param name="caller">Sees those of its organization.</param>
    public async Task<Application?> FindOrNullAsync(Caller caller, Guid id) =>
        await _byId.FindOrNullAsync(id) is { } row && caller.Sees(row.OrganizationId) ? row.ToApplication() : null;

    /// <param name="organization">Only those of this organization; null: all that the caller sees.</param>
    public async Task<IReadOnlyList<Application>> ListAsync(Caller caller, Guid? organization, PageStart page, CancellationToken cancellationToken)
    {
        if (organization is { } asked && !caller.Sees(asked))
        {
            return [];
        }

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        organization ??= caller.OrganizationId;
        var rows = await connection.QueryAsync<Row>(new(ListSql(organization), new { organization, page.After, page.Fetch }, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToApplication())];
    }

    internal static string ListSql(Guid? organization) =>
        $"select {Columns} from applications where {(organization is null ? "" : "organization_id = @organization and ")}id > @After order by id limit @Fetch";

    /// <summary>The new application; 422 for an unknown organization, or a conflict about its name.</summary>
    public static async Task<Outcome<Application>> InsertAsync(ConfigChange change, ApplicationRequest request, Guid? id = null)
    {
        if (!change.Caller.Sees(request.OrganizationId!.Value)
            || !await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from organizations where id = @OrganizationId)", new { request.OrganizationId })))
        {
            return CatalogProblem.Invalid(new ProblemError("/organizationId", $"names no organization: {request.OrganizationId}"));
        }

        var application = new Application(id ?? Guid.CreateVersion7(change.Now), request.OrganizationId.Value, request.Name!, Suspended: false, request.Addresses, change.Now, 1);
        var inserted = await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into applications (id, organization_id, name, suspended, addresses, created_at)
            values (@Id, @OrganizationId, @Name, @Suspended, @Addresses::jsonb, @CreatedAt) on conflict (organization_id, name) do nothing
            """,
            new { application.Id, application.OrganizationId, application.Name, application.Suspended, Addresses = TextOf(application.Addresses), application.CreatedAt }));
        if (inserted == 0)
        {
            return CatalogProblem.Conflict("/name", $"the organization has an application {request.Name} already");
        }

        Emit(change, application, "created");
        return application;
    }

    /// <summary>New applications of names that nothing has, of organizations that are there, in one statement. In the order of the requests.</summary>
    public static async Task<IReadOnlyList<Application>> InsertAllAsync(ConfigChange change, IReadOnlyList<ApplicationRequest> requests, IReadOnlyList<Guid> ids)
    {
        Application[] applications = [.. requests.Select((request, i) => new Application(ids[i], request.OrganizationId!.Value, request.Name!, Suspended: false, request.Addresses, change.Now, 1))];
        await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into applications (id, organization_id, name, suspended, addresses, created_at)
            select id, organization_id, name, false, addresses::jsonb, @Now from unnest(@Ids, @Organizations, @Names, @Addresses) as row (id, organization_id, name, addresses)
            """,
            new
            {
                Ids = applications.Select(static a => a.Id).ToArray(), Organizations = applications.Select(static a => a.OrganizationId).ToArray(),
                Names = applications.Select(static a => a.Name).ToArray(), Addresses = applications.Select(static a => TextOf(a.Addresses)).ToArray(), change.Now,
            }));
        foreach (var application in applications)
        {
            Emit(change, application, "created");
        }

        return applications;
    }

    /// <summary>The application after the change; 422 when it would move to another organization, or a conflict about its name.</summary>
    public static async Task<Outcome<Application>> PatchAsync(ConfigChange change, Guid id, MergePatch patch, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found;
        }

        var application = found.Value;
        var request = patch.ApplyTo(new ApplicationRequest(application.OrganizationId, application.Name, application.Addresses));
        if (request.Check() is { } problem)
        {
            return problem;
        }

        return request.OrganizationId == application.OrganizationId
            ? await ReplaceAsync(change, application, request)
            : CatalogProblem.Invalid(new ProblemError("/organizationId", "cannot be changed: what an application was used for stays with its organization"));
    }

    /// <summary>Makes a locked application what the request says.</summary>
    public static async Task<Outcome<Application>> ReplaceAsync(ConfigChange change, Application application, ApplicationRequest request)
    {
        var addresses = TextOf(request.Addresses);
        if (request.Name == application.Name && addresses == TextOf(application.Addresses))
        {
            return application;
        }

        if (request.Name != application.Name && await change.Connection.ExecuteScalarAsync<bool>(change.Sql(
            "select exists (select from applications where organization_id = @OrganizationId and name = @Name)", new { application.OrganizationId, request.Name })))
        {
            return CatalogProblem.Conflict("/name", $"the organization has an application {request.Name} already");
        }

        var changed = await change.Connection.QuerySingleAsync<Row>(change.Sql(
            $"update applications set name = @Name, addresses = @addresses::jsonb, etag = etag + 1 where id = @Id returning {Columns}", new { application.Id, request.Name, addresses }));
        Emit(change, changed.ToApplication(), "changed");
        return changed.ToApplication();
    }

    public static async Task<Outcome<Application>> SetSuspendedAsync(ConfigChange change, Guid id, bool suspended, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null || found.Value.Suspended == suspended)
        {
            return found;
        }

        var changed = await change.Connection.QuerySingleAsync<Row>(change.Sql(
            $"update applications set suspended = @suspended, etag = etag + 1 where id = @id returning {Columns}", new { id, suspended }));
        Emit(change, changed.ToApplication(), suspended ? "suspended" : "resumed");
        return changed.ToApplication();
    }

    /// <summary>True, or a conflict while it has a live subscription. Its credentials and ended subscriptions go with it; its usage stays.</summary>
    public static async Task<Outcome<bool>> DeleteAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found.Problem;
        }

        if (await change.Connection.ExecuteScalarAsync<bool>(change.Sql(
            "select exists (select from subscriptions where application_id = @id and state in ('pending', 'active', 'paused'))", new { id })))
        {
            return CatalogProblem.Conflict("", "it has live subscriptions; cancel them first");
        }

        await change.Connection.ExecuteAsync(change.Sql(
            """
            delete from credential_uses where credential_id in (select id from credentials where application_id = @id);
            delete from credentials where application_id = @id;
            delete from subscriptions where application_id = @id;
            delete from applications where id = @id;
            """, new { id }));
        Emit(change, found.Value, "deleted");
        return true;
    }

    /// <summary>The application of this name; null: there is none.</summary>
    public static async Task<Application?> LockByNameAsync(ConfigChange change, Guid organization, string name) =>
        (await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql(
            $"select {Columns} from applications where organization_id = @organization and name = @name for update", new { organization, name })))?.ToApplication();

    private static async Task<Outcome<Application>> LockAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var row = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql($"select {Columns} from applications where id = @id for update", new { id }));
        return row is null || !change.Caller.Sees(row.OrganizationId) ? CatalogProblem.NotFound("application", id)
            : ifMatch.Check(row.Etag) is { } problem ? problem
            : row.ToApplication();
    }

    private static void Emit(ConfigChange change, Application application, string what) =>
        change.Emit($"openplatform.application.{what}", $"applications/{application.Id}", application, application.OrganizationId);

    private static string? TextOf(AddressPolicy? addresses) => addresses is null ? null : JsonSerializer.Serialize(addresses, SnapshotJson.Default.AddressPolicy);

    private sealed record Row(Guid Id, Guid OrganizationId, string Name, bool Suspended, string? Addresses, DateTimeOffset CreatedAt, long Etag)
    {
        public Application ToApplication() => new(
            Id, OrganizationId, Name, Suspended, Addresses is null ? null : JsonSerializer.Deserialize(Addresses, SnapshotJson.Default.AddressPolicy), CreatedAt, Etag);
    }
}
