using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

internal sealed class ApiStore(NpgsqlDataSource database)
{
    public async Task<Api?> FindOrNullAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await ReadAsync(connection, null, "id = @id", new { id }, cancellationToken)).SingleOrDefault();
    }

    public async Task<IReadOnlyList<Api>> ListAsync(PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await ReadAsync(connection, null, "id > @After order by id limit @Fetch", page, cancellationToken);
    }

    /// <summary>A new API with one published version.</summary>
    public static async Task<Outcome<Api>> InsertAsync(ConfigChange change, Publication publication)
    {
        var id = Guid.CreateVersion7(change.Now);
        var inserted = await change.Connection.ExecuteAsync(change.Sql(
            "insert into apis (id, name, created_at) values (@id, @Name, @Now) on conflict (name) do nothing", new { id, publication.Name, change.Now }));
        return inserted == 0
            ? CatalogProblem.Conflict("/name", $"there is an API {publication.Name} already; publish another version of it")
            : await ResultAsync(change, id, await InsertVersionAsync(change, id, publication));
    }

    /// <summary>The API with another published version.</summary>
    public static async Task<Outcome<Api>> AddVersionAsync(ConfigChange change, Guid id, Publication publication, IfMatch ifMatch) =>
        await ResultAsync(change, id, await TouchAsync(change, id, ifMatch) ?? await InsertVersionAsync(change, id, publication));

    /// <summary>The API with the next revision of one of its versions in force.</summary>
    public static async Task<Outcome<Api>> AddRevisionAsync(ConfigChange change, Guid id, Guid versionId, Publication publication, IfMatch ifMatch)
    {
        if (await TouchAsync(change, id, ifMatch) is { } problem)
        {
            return problem;
        }

        var revision = await change.Connection.ExecuteScalarAsync<int?>(change.Sql(
            "update api_versions set current_revision = current_revision + 1 where id = @versionId and api_id = @id returning current_revision", new { id, versionId }));
        return revision is null
            ? CatalogProblem.NotFound("API version", versionId)
            : await ResultAsync(change, id, await InsertRevisionAsync(change, versionId, revision.Value, publication));
    }

    // Takes part in the API's ETag: a new version or revision is a change of the API.
    private static async Task<CatalogProblem?> TouchAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var etag = await change.Connection.ExecuteScalarAsync<long?>(change.Sql("update apis set etag = etag + 1 where id = @id returning etag - 1", new { id }));
        return etag is null ? CatalogProblem.NotFound("API", id) : ifMatch.Check(etag.Value);
    }

    private static async Task<CatalogProblem?> InsertVersionAsync(ConfigChange change, Guid apiId, Publication publication)
    {
        var taken = await change.Connection.QuerySingleAsync<Taken>(change.Sql(
            """
            select exists (select from api_versions where api_id = @apiId and version = @Version) as version,
                   exists (select from api_versions where lower(base_path) = lower(@BasePath)) as base_path
            """, new { apiId, publication.Version, publication.BasePath }));
        if (taken.Version)
        {
            return CatalogProblem.Conflict("/version", $"the API has a version {publication.Version} already");
        }

        if (taken.BasePath)
        {
            return CatalogProblem.Conflict("/basePath", $"is taken by another API version: {publication.BasePath}");
        }

        var id = Guid.CreateVersion7(change.Now);
        await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into api_versions (id, api_id, version, base_path, current_revision, created_at)
            values (@id, @apiId, @Version, @BasePath, 1, @Now)
            """, new { id, apiId, publication.Version, publication.BasePath, change.Now }));
        return await InsertRevisionAsync(change, id, 1, publication);
    }

    private static async Task<CatalogProblem?> InsertRevisionAsync(ConfigChange change, Guid versionId, int revision, Publication publication)
    {
        if (!await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from backends where id = @BackendId)", new { publication.BackendId })))
        {
            return CatalogProblem.Invalid(new ProblemError("/backendId", $"names no backend: {publication.BackendId}"));
        }

        await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into api_revisions (version_id, revision, backend_id, document, policies, created_at)
            values (@versionId, @revision, @BackendId, @Document::json, @Policies::jsonb, @Now);

            insert into api_operations (version_id, revision, ordinal, operation_id, method, path_template, policies)
            select @versionId, @revision, ordinality - 1, operation_id, method, path_template, policies::jsonb
            from unnest(@Ids, @Methods, @Paths, @OperationPolicies) with ordinality as t (operation_id, method, path_template, policies, ordinality);
            """,
            new
            {
                versionId, revision, publication.BackendId, publication.Document, change.Now,
                Ids = publication.Operations.Select(static operation => operation.OperationId).ToArray(),
                Methods = publication.Operations.Select(static operation => operation.Method).ToArray(),
                Paths = publication.Operations.Select(static operation => operation.PathTemplate).ToArray(),
                Policies = PolicyJson.Text(publication.Policies, SnapshotJson.Default.ApiPolicies),
                OperationPolicies = publication.Operations.Select(static operation => PolicyJson.Text(operation.Policies, SnapshotJson.Default.OperationPolicies)).ToArray(),
            }));
        change.PointerOf = (snapshot, pointer) => PointerOf(snapshot, versionId, pointer);
        return null;
    }

    // What only the whole snapshot shows about the version that was just written, such as a base path.
    private static string? PointerOf(Snapshot snapshot, Guid versionId, string pointer)
    {
        var index = snapshot.Apis.Select(static api => api.VersionId).ToList().IndexOf(versionId);
        var prefix = $"/apis/{index}/";
        return pointer.StartsWith(prefix, StringComparison.Ordinal) ? Publication.InRequestOrNull(pointer[(prefix.Length - 1)..]) : null;
    }

    private static async Task<Outcome<Api>> ResultAsync(ConfigChange change, Guid id, CatalogProblem? problem) =>
        problem is not null ? problem : (await ReadAsync(change.Connection, change.Transaction, "id = @id", new { id }, change.CancellationToken)).Single();

    private static async Task<IReadOnlyList<Api>> ReadAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, string where, object parameters, CancellationToken cancellationToken)
    {
        // One statement, so that an API never shows the versions of one moment with the operations of another.
        var rows = await connection.QueryAsync<Row>(new CommandDefinition(
            $"""
            with page as (select id, name, created_at, etag from apis where {where})
            select a.id, a.name, a.created_at, a.etag,
                   v.id as version_id, v.version, v.current_revision as revision, v.base_path, r.backend_id, r.policies::text, v.created_at as version_created_at,
                   array(select operation_id  from api_operations where version_id = v.id and revision = v.current_revision order by ordinal) as operation_ids,
                   array(select method        from api_operations where version_id = v.id and revision = v.current_revision order by ordinal) as methods,
                   array(select path_template from api_operations where version_id = v.id and revision = v.current_revision order by ordinal) as path_templates,
                   array(select policies::text from api_operations where version_id = v.id and revision = v.current_revision order by ordinal) as operation_policies
            from page a
            join api_versions v on v.api_id = a.id
            join api_revisions r on r.version_id = v.id and r.revision = v.current_revision
            order by a.id, v.id
            """, parameters, transaction, cancellationToken: cancellationToken));
        return
        [
            .. from row in rows
               group row.ToVersion() by new { row.Id, row.Name, row.CreatedAt, row.Etag } into api
               select new Api(api.Key.Id, api.Key.Name, [.. api], api.Key.CreatedAt, api.Key.Etag),
        ];
    }

    private sealed record Row(
        Guid Id, string Name, DateTimeOffset CreatedAt, long Etag,
        Guid VersionId, string Version, int Revision, string BasePath, Guid BackendId, string? Policies, DateTimeOffset VersionCreatedAt,
        string[] OperationIds, string[] Methods, string[] PathTemplates, string?[] OperationPolicies)
    {
        public ApiVersion ToVersion() => new(
            VersionId, Version, Revision, BasePath, BackendId,
            [.. OperationIds.Select((id, i) => new ApiOperation(id, Methods[i], PathTemplates[i], PolicyJson.Element(OperationPolicies[i])))],
            PolicyJson.Element(Policies), VersionCreatedAt);
    }

    private sealed record Taken(bool Version, bool BasePath);
}
