using System.Text.Json;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Apis.Documents;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>Revisions of versions: drafts, their publication, and what changed between them.</summary>
internal sealed class RevisionStore(NpgsqlDataSource database)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>Those after a number, newest last; null: there is no such version.</summary>
    public async Task<IReadOnlyList<ApiRevision>?> ListAsync(Guid apiId, Guid versionId, int after, int fetch, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = (await connection.QueryAsync<Row>(new(
            $"select {Columns} from api_revisions r join api_versions v on v.id = r.version_id where r.version_id = @versionId and v.api_id = @apiId and r.revision > @after order by r.version_id, r.revision limit @fetch",
            new { apiId, versionId, after, fetch }, cancellationToken: cancellationToken))).AsList();
        return rows.Count == 0 && !await connection.ExecuteScalarAsync<bool>(new(
            "select exists (select from api_versions where id = @versionId and api_id = @apiId)", new { apiId, versionId }, cancellationToken: cancellationToken))
            ? null
            : [.. rows.Select(static row => new ApiRevision(row.Revision, row.CreatedAt, row.PublishedAt, row.InForce, row.BackendId, FindingsOf(row.Findings)))];
    }

    public async Task<ApiRevisionDetail?> FindOrNullAsync(Guid apiId, Guid versionId, int revision, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var row = await connection.QuerySingleOrDefaultAsync<Row>(new(
            $"select {Columns} from api_revisions r join api_versions v on v.id = r.version_id where r.version_id = @versionId and v.api_id = @apiId and r.revision = @revision",
            new { apiId, versionId, revision }, cancellationToken: cancellationToken));
        if (row is null)
        {
            return null;
        }

        var before = await connection.ExecuteScalarAsync<int?>(new(
            "select max(revision) from api_revisions where version_id = @versionId and revision < @revision and published_at is not null", new { versionId, revision }, cancellationToken: cancellationToken));
        var content = (await ReadAsync(connection, null, versionId, revision, cancellationToken))!;
        var changes = before is { } other ? DocumentDiff.Between((await ReadAsync(connection, null, versionId, other, cancellationToken))!.ToDiffed(), content.ToDiffed()) : [];
        return new(row.Revision, row.CreatedAt, row.PublishedAt, row.InForce, row.BackendId, FindingsOf(row.Findings),
            [.. content.Operations.Select(static o => new ApiOperation(o.OperationId, o.Method, o.PathTemplate, PolicyJson.Element(o.Policies)))],
            PolicyJson.Element(content.Policies), PolicyJson.Element(content.Document), before, changes);
    }

    /// <summary>What an operation would answer; null: there is no such version, operation, or document with answers.</summary>
    /// <param name="drafts">False: of what was never published there is none.</param>
    public async Task<MockAnswer?> MockOrNullAsync(Guid apiId, Guid versionId, string operationId, int? status, bool drafts, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var document = await connection.ExecuteScalarAsync<string?>(new(
            """
            select r.document::text from api_revisions r join api_versions v on v.id = r.version_id
            where v.id = @versionId and v.api_id = @apiId and (@drafts or v.state <> 'draft')
            order by r.revision = v.current_revision desc nulls last, r.revision desc limit 1
            """, new { apiId, versionId, drafts }, cancellationToken: cancellationToken));
        return ApiDocument.Stored(document)?.Operations.FirstOrDefault(operation => operation.OperationId == operationId) is { } found ? MockAnswer.Of(found, status) : null;
    }

    /// <summary>Writes the next revision, and puts it into force unless it is a draft. The second part says what breaks callers.</summary>
    /// <param name="acceptBreaking">True: what breaks callers is said and not refused. For dry runs.</param>
    public static async Task<(CatalogProblem? Problem, IReadOnlyList<RevisionChange> Breaking)> AddAsync(
        ConfigChange change, Guid apiId, Guid versionId, Publication publication, bool acceptBreaking = false)
    {
        if (await LockAsync(change, apiId, versionId) is not { } version)
        {
            return (CatalogProblem.NotFound("API version", versionId), []);
        }

        if (version.State == "retired")
        {
            return (CatalogProblem.Conflict("", "the version is retired: nothing of it is published any more"), []);
        }

        if (version.Draft is { } draft)
        {
            return (CatalogProblem.Conflict("", $"revision {draft} is a draft: publish it, change it or delete it first"), []);
        }

        var revision = version.Last + 1;
        if (await InsertAsync(change, versionId, revision, publication) is { } problem)
        {
            return (problem, []);
        }

        if (publication.IsDraft)
        {
            return (null, []);
        }

        var changes = await ChangesAsync(change, versionId, version.Current, revision);
        return (await PutIntoForceAsync(change, apiId, version, revision, publication.DocumentPointer, acceptBreaking ? [] : changes), [.. changes.Where(static found => found.Breaking)]);
    }

    /// <summary>Gives the draft another content.</summary>
    public static async Task<CatalogProblem?> ReplaceDraftAsync(ConfigChange change, Guid apiId, Guid versionId, int revision, Publication publication)
    {
        var problem = await DeleteDraftAsync(change, apiId, versionId, revision, isReplaced: true);
        return problem ?? await InsertAsync(change, versionId, revision, publication with { IsDraft = true });
    }

    public static async Task<CatalogProblem?> DeleteDraftAsync(ConfigChange change, Guid apiId, Guid versionId, int revision, bool isReplaced = false)
    {
        if (await LockAsync(change, apiId, versionId) is not { } version)
        {
            return CatalogProblem.NotFound("API version", versionId);
        }

        if (version.Draft != revision)
        {
            return CatalogProblem.Conflict("", $"revision {revision} is no draft: what is published stays as it is");
        }

        if (version.State == "draft" && !isReplaced)
        {
            return CatalogProblem.Conflict("", "it is all that there is of the version: delete the version");
        }

        await change.Connection.ExecuteAsync(change.Sql("delete from api_revisions where version_id = @versionId and revision = @revision", new { versionId, revision }));
        return null;
    }

    /// <summary>Puts the draft into force; refused when the rules find an error in it or it breaks callers of the revision before.</summary>
    public static async Task<(CatalogProblem? Problem, IReadOnlyList<RevisionChange>? Changes)> PublishAsync(ConfigChange change, Guid apiId, Guid versionId, int? revision)
    {
        if (await LockAsync(change, apiId, versionId) is not { } version)
        {
            return (CatalogProblem.NotFound("API version", versionId), []);
        }

        if (version.State == "retired")
        {
            return (CatalogProblem.Conflict("", "the version is retired: nothing of it is published any more"), []);
        }

        if (version.Draft is not { } draft || (revision is not null && revision != draft))
        {
            return (CatalogProblem.Conflict(revision is null ? "" : "/revision", version.Draft is null ? "the version has no draft" : $"the draft is revision {version.Draft}"), []);
        }

        var findings = FindingsOf(await change.Connection.ExecuteScalarAsync<string?>(change.Sql(
            "select findings::text from api_revisions where version_id = @versionId and revision = @draft", new { versionId, draft })));
        if (ImportedRevision.ErrorsOf(findings, "") is { Count: > 0 } errors)
        {
            return (CatalogProblem.Invalid(errors), []);
        }

        await change.Connection.ExecuteAsync(change.Sql(
            "update api_revisions set published_at = @Now where version_id = @versionId and revision = @draft", new { versionId, draft, change.Now }));
        var changes = await ChangesAsync(change, versionId, version.Current, draft);
        return (await PutIntoForceAsync(change, apiId, version, draft, "", changes), changes);
    }

    /// <summary>Puts a published revision into force again, and says what that breaks.</summary>
    public static async Task<(CatalogProblem? Problem, IReadOnlyList<RevisionChange>? Changes)> RollbackAsync(ConfigChange change, Guid apiId, Guid versionId, int revision)
    {
        if (await LockAsync(change, apiId, versionId) is not { } version)
        {
            return (CatalogProblem.NotFound("API version", versionId), []);
        }

        if (version.State is "draft" or "retired")
        {
            return (CatalogProblem.Conflict("", $"the version is {version.State}"), []);
        }

        var target = await change.Connection.QuerySingleOrDefaultAsync<Target>(change.Sql(
            "select published_at is not null as is_published, backend_id is not null as has_backend from api_revisions where version_id = @versionId and revision = @revision", new { versionId, revision }));
        if (target is not { IsPublished: true, HasBackend: true })
        {
            return (CatalogProblem.Conflict("/revision", target is null ? $"there is no revision {revision}" : target.IsPublished ? "its backend was deleted since" : "it is a draft: publish it"), []);
        }

        var changes = await ChangesAsync(change, versionId, version.Current, revision);
        await change.Connection.ExecuteAsync(change.Sql("update api_versions set current_revision = @revision where id = @versionId", new { versionId, revision }));
        change.PointerOf = (snapshot, pointer) => PointerOf(snapshot, versionId, pointer);
        change.Emit("openplatform.version.rolled-back", Subject(versionId), new { apiId, versionId, revision });
        return (null, changes);
    }

    /// <summary>Writes a revision, published or a draft; does not put it into force.</summary>
    public static async Task<CatalogProblem?> InsertAsync(ConfigChange change, Guid versionId, int revision, Publication publication)
    {
        if (!await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from backends where id = @BackendId)", new { publication.BackendId })))
        {
            return CatalogProblem.Invalid(new ProblemError("/backendId", $"names no backend: {publication.BackendId}"));
        }

        await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into api_revisions (version_id, revision, backend_id, document, policies, findings, created_at, published_at)
            values (@versionId, @revision, @BackendId, @Document::json, @Policies::jsonb, @Findings::jsonb, @Now, @PublishedAt);

            insert into api_operations (version_id, revision, ordinal, operation_id, method, path_template, policies)
            select @versionId, @revision, ordinality - 1, operation_id, method, path_template, policies::jsonb
            from unnest(@Ids, @Methods, @Paths, @OperationPolicies) with ordinality as t (operation_id, method, path_template, policies, ordinality);
            """,
            new
            {
                versionId, revision, publication.BackendId, publication.Document, change.Now,
                PublishedAt = publication.IsDraft ? (DateTimeOffset?)null : change.Now,
                Findings = publication.Document is null ? null : JsonSerializer.Serialize(publication.Findings, Json),
                Ids = publication.Operations.Select(static operation => operation.OperationId).ToArray(),
                Methods = publication.Operations.Select(static operation => operation.Method).ToArray(),
                Paths = publication.Operations.Select(static operation => operation.PathTemplate).ToArray(),
                Policies = PolicyJson.Text(publication.Policies, SnapshotJson.Default.ApiPolicies),
                OperationPolicies = publication.Operations.Select(static operation => PolicyJson.Text(operation.Policies, SnapshotJson.Default.OperationPolicies)).ToArray(),
            }));
        change.PointerOf = (snapshot, pointer) => PointerOf(snapshot, versionId, pointer);
        return null;
    }

    public static IReadOnlyList<LintFinding> FindingsOf(string? json) => json is null ? [] : JsonSerializer.Deserialize<LintFinding[]>(json, Json)!;

    public static void EmitPublished(ConfigChange change, Guid apiId, Guid versionId, int revision) =>
        change.Emit("openplatform.version.published", Subject(versionId), new { apiId, versionId, revision });

    public static string Subject(Guid versionId) => $"versions/{versionId}";

    /// <summary>The version, locked; null: there is none.</summary>
    public static async Task<VersionHead?> LockAsync(ConfigChange change, Guid apiId, Guid versionId) => await change.Connection.QuerySingleOrDefaultAsync<VersionHead>(change.Sql(
        """
        select v.id, v.state, v.current_revision as current,
               (select revision from api_revisions where version_id = v.id and published_at is null) as draft,
               (select coalesce(max(revision), 0) from api_revisions where version_id = v.id) as last
        from api_versions v where v.id = @versionId and v.api_id = @apiId for update
        """, new { apiId, versionId }));

    private static async Task<CatalogProblem?> PutIntoForceAsync(
        ConfigChange change, Guid apiId, VersionHead version, int revision, string documentAt, IReadOnlyList<RevisionChange> changes)
    {
        if (changes.Where(static change => change.Breaking).ToArray() is { Length: > 0 } breaking)
        {
            return CatalogProblem.Breaking([.. breaking.Select(found => new ProblemError(found.Pointer.Length == 0 ? "" : documentAt + found.Pointer, $"{found.Rule}: {found.Detail}"))]);
        }

        await change.Connection.ExecuteAsync(change.Sql(
            "update api_versions set current_revision = @revision, state = case state when 'draft' then 'published' else state end where id = @Id", new { version.Id, revision }));
        EmitPublished(change, apiId, version.Id, revision);
        return null;
    }

    private static async Task<IReadOnlyList<RevisionChange>> ChangesAsync(ConfigChange change, Guid versionId, int? from, int to) => from is not { } before
        ? []
        : DocumentDiff.Between(
            (await ReadAsync(change.Connection, change.Transaction, versionId, before, change.CancellationToken))!.ToDiffed(),
            (await ReadAsync(change.Connection, change.Transaction, versionId, to, change.CancellationToken))!.ToDiffed());

    /// <summary>Everything in a revision; null: there is none.</summary>
    public static async Task<RevisionContent?> ReadAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, Guid versionId, int revision, CancellationToken cancellationToken)
    {
        await using var rows = await connection.QueryMultipleAsync(new CommandDefinition(
            """
            select backend_id, policies::text, document::text from api_revisions where version_id = @versionId and revision = @revision;

            select operation_id, method, path_template, policies::text from api_operations where version_id = @versionId and revision = @revision order by ordinal;
            """, new { versionId, revision }, transaction, cancellationToken: cancellationToken));
        var head = await rows.ReadSingleOrDefaultAsync<ContentRow>();
        var operations = await rows.ReadAsync<StoredOperation>();
        return head is null ? null : new(head.BackendId, head.Policies, head.Document, [.. operations]);
    }

    // What only the whole snapshot shows about the version that was just written, such as a base path.
    private static string? PointerOf(Snapshot snapshot, Guid versionId, string pointer)
    {
        var index = snapshot.Apis.Select(static api => api.VersionId).ToList().IndexOf(versionId);
        var prefix = $"/apis/{index}/";
        return pointer.StartsWith(prefix, StringComparison.Ordinal) ? Publication.InRequestOrNull(pointer[(prefix.Length - 1)..]) : null;
    }

    private const string Columns = "r.revision, r.created_at, r.published_at, coalesce(r.revision = v.current_revision, false) as in_force, r.backend_id, r.findings::text";

    private sealed record Row(int Revision, DateTimeOffset CreatedAt, DateTimeOffset? PublishedAt, bool InForce, Guid? BackendId, string? Findings);

    private sealed record ContentRow(Guid? BackendId, string? Policies, string? Document);

    private sealed record Target(bool IsPublished, bool HasBackend);
}

/// <summary>Where a version stands, while it is changed.</summary>
/// <param name="Current">The revision in force.</param>
/// <param name="Draft">The revision that is worked on.</param>
/// <param name="Last">The highest number that is taken.</param>
internal sealed record VersionHead(Guid Id, string State, int? Current, int? Draft, int Last);

/// <summary>An operation as it is stored.</summary>
internal sealed record StoredOperation(string OperationId, string Method, string PathTemplate, string? Policies);

/// <summary>What a revision holds, as it is stored.</summary>
internal sealed record RevisionContent(Guid? BackendId, string? Policies, string? Document, IReadOnlyList<StoredOperation> Operations)
{
    /// <summary>Whether publishing it would change nothing.</summary>
    public bool IsSameAs(Publication other) =>
        BackendId == other.BackendId && Same(Document, other.Document) && Same(Policies, PolicyJson.Text(other.Policies, SnapshotJson.Default.ApiPolicies))
        && Operations.Count == other.Operations.Count
        && Operations.Zip(other.Operations).All(static pair =>
            (pair.First.OperationId, pair.First.Method, pair.First.PathTemplate) == (pair.Second.OperationId, pair.Second.Method, pair.Second.PathTemplate)
            && Same(pair.First.Policies, PolicyJson.Text(pair.Second.Policies, SnapshotJson.Default.OperationPolicies)));

    private static bool Same(string? one, string? other) => one is null || other is null ? one == other : JsonNode.DeepEquals(JsonNode.Parse(one), JsonNode.Parse(other));

    public DiffedRevision ToDiffed() =>
        DiffedRevision.Of(Operations.Select(static operation => (operation.Method, operation.PathTemplate)), ApiDocument.Stored(Document));
}
