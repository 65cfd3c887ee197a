using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>APIs and their versions.</summary>
internal sealed class ApiStore(NpgsqlDataSource database)
{
    /// <param name="drafts">False: versions that were never published are not there, nor how traffic is divided: that names applications of others.</param>
    public async Task<Api?> FindOrNullAsync(Guid id, bool drafts, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await ReadAsync(connection, null, "id = @id", new { id, drafts }, cancellationToken)).SingleOrDefault();
    }

    public async Task<IReadOnlyList<Api>> ListAsync(PageStart page, bool drafts, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        const string Visible = "exists (select from api_versions w where w.api_id = apis.id and (@drafts or w.state <> 'draft'))";
        return await ReadAsync(connection, null, $"id > @After and {Visible} order by id limit @Fetch", new { page.After, page.Fetch, drafts }, cancellationToken);
    }

    public async Task<ApiVersion?> FindVersionOrNullAsync(Guid apiId, Guid id, bool drafts, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await ReadVersionsAsync(connection, null, "v.id = @id and v.api_id = @apiId and (@drafts or v.state <> 'draft')", new { apiId, id, drafts }, cancellationToken)).SingleOrDefault();
    }

    /// <summary>Null: there is no such API.</summary>
    public async Task<IReadOnlyList<ApiVersion>?> ListVersionsAsync(Guid apiId, PageStart page, bool drafts, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var versions = await ReadVersionsAsync(connection, null,
            "v.api_id = @apiId and v.id > @After and (@drafts or v.state <> 'draft') order by v.api_id, v.id limit @Fetch", new { apiId, page.After, page.Fetch, drafts }, cancellationToken);
        return versions.Count == 0 && !await connection.ExecuteScalarAsync<bool>(new("select exists (select from apis where id = @apiId)", new { apiId }, cancellationToken: cancellationToken))
            ? null : versions;
    }

    /// <summary>A new API with one version.</summary>
    public static async Task<Outcome<Api>> InsertAsync(ConfigChange change, Publication publication)
    {
        var id = Guid.CreateVersion7(change.Now);
        var inserted = await change.Connection.ExecuteAsync(change.Sql(
            "insert into apis (id, name, created_at) values (@id, @Name, @Now) on conflict (name) do nothing", new { id, publication.Name, change.Now }));
        if (inserted == 0)
        {
            return CatalogProblem.Conflict("/name", $"there is an API {publication.Name} already; publish another version of it");
        }

        change.Emit("openplatform.api.created", $"apis/{id}", new { id, publication.Name });
        return await ResultAsync(change, id, await InsertVersionAsync(change, id, publication));
    }

    /// <summary>The API with another version.</summary>
    public static async Task<Outcome<Api>> AddVersionAsync(ConfigChange change, Guid id, Publication publication, IfMatch ifMatch) =>
        await ResultAsync(change, id, await TouchAsync(change, id, ifMatch) ?? await InsertVersionAsync(change, id, publication));

    /// <summary>The API with the next revision of one of its versions, in force or as a draft.</summary>
    public static async Task<Outcome<Api>> AddRevisionAsync(ConfigChange change, Guid id, Guid versionId, Publication publication, IfMatch ifMatch) =>
        await ResultAsync(change, id, await TouchAsync(change, id, ifMatch) ?? (await RevisionStore.AddAsync(change, id, versionId, publication)).Problem);

    /// <summary>Counts a change of the API; null when it may be made. Versions and revisions take part in the API's ETag.</summary>
    public static async Task<CatalogProblem?> TouchAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var etag = await change.Connection.ExecuteScalarAsync<long?>(change.Sql("update apis set etag = etag + 1 where id = @id returning etag - 1", new { id }));
        return etag is null ? CatalogProblem.NotFound("API", id) : ifMatch.Check(etag.Value);
    }

    /// <summary>The version as it is now.</summary>
    public static async Task<ApiVersion> VersionAsync(ConfigChange change, Guid versionId) =>
        (await ReadVersionsAsync(change.Connection, change.Transaction, "v.id = @versionId", new { versionId, drafts = true }, change.CancellationToken)).Single();

    public static async Task<CatalogProblem?> InsertVersionAsync(ConfigChange change, Guid apiId, Publication publication)
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
            insert into api_versions (id, api_id, version, base_path, state, current_revision, created_at)
            values (@id, @apiId, @Version, @BasePath, @State, @Revision, @Now)
            """,
            new { id, apiId, publication.Version, publication.BasePath, State = publication.IsDraft ? "draft" : "published", Revision = publication.IsDraft ? (int?)null : 1, change.Now }));
        if (!publication.IsDraft)
        {
            RevisionStore.EmitPublished(change, apiId, id, 1);
        }

        return await RevisionStore.InsertAsync(change, id, 1, publication);
    }

    private static async Task<Outcome<Api>> ResultAsync(ConfigChange change, Guid id, CatalogProblem? problem) =>
        problem is not null ? problem : (await ReadAsync(change.Connection, change.Transaction, "id = @id", new { id, drafts = true }, change.CancellationToken)).Single();

    private static async Task<IReadOnlyList<Api>> ReadAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, string where, object parameters, CancellationToken cancellationToken)
    {
        // One statement, so that an API never shows the versions of one moment with the operations of another.
        var rows = await connection.QueryAsync<ApiRow, VersionRow, (ApiRow Api, VersionRow Version)>(new CommandDefinition(
            $"""
            with page as (select id, name, created_at, etag from apis where {where})
            select a.id, a.name, a.created_at, a.etag, {VersionColumns}
            from page a
            join api_versions v on v.api_id = a.id and (@drafts or v.state <> 'draft')
            {Shown}
            order by a.id, v.id
            """, parameters, transaction, cancellationToken: cancellationToken), static (api, version) => (api, version), splitOn: "version_id");
        return
        [
            .. from row in rows
               group row.Version.ToVersion() by row.Api into api
               select new Api(api.Key.Id, api.Key.Name, [.. api], api.Key.CreatedAt, api.Key.Etag),
        ];
    }

    private static async Task<IReadOnlyList<ApiVersion>> ReadVersionsAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, string where, object parameters, CancellationToken cancellationToken)
    {
        var rows = await connection.QueryAsync<VersionRow>(new CommandDefinition(
            $"select {VersionColumns} from api_versions v join apis a on a.id = v.api_id {Shown} where {where}", parameters, transaction, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToVersion())];
    }

    // The revision in force, or the draft as long as nothing is.
    private const string Shown =
        """
        left join lateral (select max(revision) as revision from api_revisions d where d.version_id = v.id and d.published_at is null) draft on true
        join api_revisions r on r.version_id = v.id and r.revision = coalesce(v.current_revision, draft.revision)
        """;

    private const string VersionColumns =
        """
        v.id as version_id, a.etag, v.version, v.state, v.current_revision as revision, draft.revision as draft, v.base_path, r.backend_id,
        (case when @drafts then r.policies else nullif(r.policies - 'split', '{}') end)::text as policies, r.findings::text,
        v.deprecated_at, v.sunset_at, v.successor_id, v.documentation, v.retired_at, v.blocked_reason, v.blocked_at, v.blocked_until, v.created_at as version_created_at,
        array(select operation_id  from api_operations o where o.version_id = v.id and o.revision = r.revision order by ordinal) as operation_ids,
        array(select method        from api_operations o where o.version_id = v.id and o.revision = r.revision order by ordinal) as methods,
        array(select path_template from api_operations o where o.version_id = v.id and o.revision = r.revision order by ordinal) as path_templates,
        array(select policies::text from api_operations o where o.version_id = v.id and o.revision = r.revision order by ordinal) as operation_policies
        """;

    private sealed record ApiRow(Guid Id, string Name, DateTimeOffset CreatedAt, long Etag);

    private sealed record VersionRow(
        Guid VersionId, long Etag, string Version, string State, int? Revision, int? Draft, string BasePath, Guid? BackendId, string? Policies, string? Findings,
        DateTimeOffset? DeprecatedAt, DateTimeOffset? SunsetAt, Guid? SuccessorId, string? Documentation, DateTimeOffset? RetiredAt,
        string? BlockedReason, DateTimeOffset? BlockedAt, DateTimeOffset? BlockedUntil, DateTimeOffset VersionCreatedAt,
        string[] OperationIds, string[] Methods, string[] PathTemplates, string?[] OperationPolicies)
    {
        public ApiVersion ToVersion() => new(
            VersionId, Version, Enum.Parse<VersionState>(State, ignoreCase: true), Revision, Draft, BasePath, BackendId,
            [.. OperationIds.Select((id, i) => new ApiOperation(id, Methods[i], PathTemplates[i], PolicyJson.Element(OperationPolicies[i])))],
            PolicyJson.Element(Policies),
            DeprecatedAt is { } deprecated ? new(deprecated, SunsetAt, SuccessorId, Documentation, RetiredAt) : null,
            BlockedAt is { } blocked ? new(BlockedReason!, blocked, BlockedUntil) : null,
            RevisionStore.FindingsOf(Findings), VersionCreatedAt, Etag);
    }

    private sealed record Taken(bool Version, bool BasePath);
}
