using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Changes;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>
/// API versions in changesets, as docs/snapshot-file.md has them: <c>{ name: orders, version: v1, basePath: /orders/v1, backend: orders, … }</c>
/// with <c>operations</c> or <c>openApi</c>. Drafts are not among them: what is declared is in force.
/// </summary>
internal sealed class DeclaredApis : IDeclaredKind
{
    private static readonly JsonSerializerOptions WithoutNulls = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public string List => "apis";

    public int Order => 40;

    public Permission Write => Permission.WriteApis;

    public string? NameOf(JsonObject item) =>
        DeclaredJson.Text(item, "name") is { } name && DeclaredJson.Text(item, "version") is { } version ? $"{name}/{version}" : null;

    public async Task<IReadOnlyDictionary<string, JsonObject>> ReadAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyCollection<string>? names, CancellationToken cancellationToken)
    {
        var known = await KnownNames.ReadAsync(connection, transaction, mayBeNew: false, cancellationToken);
        var which = names is null ? "" : "where (a.name, v.version) in (select split_part(n, '/', 1), split_part(n, '/', 2) from unnest(@names) n)";
        await using var rows = await connection.QueryMultipleAsync(new CommandDefinition(
            $"""
            select v.id, a.name, v.version, v.base_path, b.name as backend, r.policies::text, r.document::text, v.state, v.deprecated_at, v.sunset_at,
                   s.base_path as successor, v.documentation, case when v.blocked_until is null or v.blocked_until > now() then v.blocked_reason end as blocked_reason, v.blocked_until
            from api_versions v
            join apis a on a.id = v.api_id
            join api_revisions r on r.version_id = v.id and r.revision = v.current_revision
            join backends b on b.id = r.backend_id
            left join api_versions s on s.id = v.successor_id
            {which} order by a.name, v.id;

            select o.version_id, o.operation_id, o.method, o.path_template, o.policies::text
            from api_versions v
            join apis a on a.id = v.api_id
            join api_operations o on o.version_id = v.id and o.revision = v.current_revision
            {which} order by o.version_id, o.ordinal;
            """, new { names = names?.ToArray() }, transaction, cancellationToken: cancellationToken));
        var versions = (await rows.ReadAsync<Row>()).AsList();
        var operations = (await rows.ReadAsync<OperationRow>()).ToLookup(static row => row.VersionId);
        return versions.ToDictionary(static row => $"{row.Name}/{row.Version}", row => ToItem(row, operations[row.Id], known), StringComparer.Ordinal);
    }

    public async Task PutAsync(ConfigChange change, IReadOnlyList<DeclaredItem> items, DeclaredReport report)
    {
        var known = await KnownNames.ReadAsync(
            change.Connection, change.Transaction, items.Any(static item => item.Body["policies"] is JsonObject policies && policies["split"] is not null), change.CancellationToken);
        known = known with { NewApplications = report.NewIds("applications") };
        var there = await FindAllAsync(change, items);
        var written = new List<(DeclaredItem Item, DeclaredVersion Version, Guid ApiId, Guid VersionId)>();
        var added = new List<(DeclaredItem Item, DeclaredVersion Version, Publication Publication)>();
        foreach (var item in items)
        {
            if (DeclaredJson.Read<DeclaredVersion>(item, report) is not { } version || Check(item, version, known, report) is not { } publication)
            {
                continue;
            }

            if (!there.TryGetValue(item.Name, out var ids))
            {
                added.Add((item, version, publication));
            }
            else if (await PutContentAsync(change, item, publication, ids, report))
            {
                Written(item, version, ids);
            }
        }

        // New ones go together, unless something is wrong: then one by one, to find the rest of it.
        if (report.Problems.Count == 0 && await NewVersions.TryInsertAllAsync(change, [.. added.Select(static put => put.Publication)]) is { } inserted)
        {
            for (var i = 0; i < added.Count; i++)
            {
                Written(added[i].Item, added[i].Version, new(inserted[i].ApiId, inserted[i].VersionId, added[i].Publication.BasePath));
            }
        }
        else
        {
            foreach (var (item, version, publication) in added)
            {
                if (await InsertAsync(change, item, publication, report) is { } ids)
                {
                    Written(item, version, ids);
                }
            }
        }

        // Successors may be further down in the list.
        foreach (var (item, version, apiId, versionId) in written.Where(static put => put.Version.Lifecycle is not null || put.Item.Current?["lifecycle"] is not null))
        {
            Report(item, await DeclaredLifecycle.DeprecateAsync(change, apiId, versionId, version), report);
        }

        foreach (var (item, version, apiId, versionId) in written.Where(static put => put.Version.Blocked is not null || put.Item.Current?["blocked"] is not null))
        {
            Report(item, await DeclaredLifecycle.PutBlockAsync(change, apiId, versionId, version), report);
        }

        void Written(DeclaredItem item, DeclaredVersion version, Ids ids)
        {
            report.StandsAt(ids.VersionId, item.Pointer);
            written.Add((item, version, ids.ApiId, ids.VersionId));
        }
    }

    /// <summary>Nothing can name a version that is retired any more, neither a successor nor a subscription: what does is there by now.</summary>
    public async Task FinishAsync(ConfigChange change, IReadOnlyList<DeclaredItem> items, DeclaredReport report)
    {
        var ends = items.Where(static item => item.Body["lifecycle"] is JsonObject end && DeclaredJson.Text(end, "state") == LifecycleStates.Retired).ToList();
        var there = ends.Count == 0 ? new Dictionary<string, Ids>() : await FindAllAsync(change, ends);
        foreach (var item in ends)
        {
            Report(item, await DeclaredLifecycle.RetireAsync(change, there[item.Name].ApiId, there[item.Name].VersionId), report);
        }
    }

    public async Task DeleteAsync(ConfigChange change, IReadOnlyList<DeclaredName> names, DeclaredReport report)
    {
        foreach (var name in names)
        {
            var ids = await FindAsync(change, name.Name.Split('/')[0], name.Name.Split('/')[1]);
            var isLast = await change.Connection.ExecuteScalarAsync<int>(change.Sql("select count(*)::int from api_versions where api_id = @ApiId", new { ids!.ApiId })) == 1;
            var problem = isLast ? await LifecycleStore.DeleteApiAsync(change, ids.ApiId)
                : await ApiStore.TouchAsync(change, ids.ApiId, IfMatch.Any) ?? await LifecycleStore.DeleteVersionAsync(change, ids.ApiId, ids.VersionId);
            if (problem is not null)
            {
                report.Problem(name.Pointer, problem.Errors[0].Detail);
            }
        }
    }

    /// <summary>Makes the revision in force what the item says; false when it cannot be, with the reasons in <paramref name="report"/>.</summary>
    private static async Task<bool> PutContentAsync(ConfigChange change, DeclaredItem item, Publication publication, Ids ids, DeclaredReport report)
    {
        if (!string.Equals(ids.BasePath, publication.BasePath, StringComparison.Ordinal))
        {
            report.Problem(item.Pointer + "/basePath", $"a version keeps its path: {ids.BasePath}");
            return false;
        }

        var head = (await RevisionStore.LockAsync(change, ids.ApiId, ids.VersionId))!;
        var current = head.Current is { } revision ? await RevisionStore.ReadAsync(change.Connection, change.Transaction, ids.VersionId, revision, change.CancellationToken) : null;
        if (current is not null && current.IsSameAs(publication))
        {
            return true;
        }

        await change.Connection.ExecuteAsync(change.Sql("update apis set etag = etag + 1 where id = @ApiId", new { ids.ApiId }));
        var place = change.PointerOf; // the changeset's own: it knows all items
        var (problem, breaking) = await RevisionStore.AddAsync(change, ids.ApiId, ids.VersionId, publication, acceptBreaking: change.IsDryRun);
        change.PointerOf = place;
        foreach (var found in breaking)
        {
            report.Breaking(new("apis", item.Name, found.Pointer, $"{found.Rule}: {found.Detail}"));
        }

        if (problem is not null)
        {
            DeclaredJson.Report(item, problem, report);
            return false;
        }

        return true;
    }

    private static Publication? Check(DeclaredItem item, DeclaredVersion version, KnownNames known, DeclaredReport report)
    {
        if (version.Backend is null || !known.Backends.TryGetValue(version.Backend, out var backend))
        {
            report.Problem(item.Pointer + "/backend", version.Backend is null ? "is required" : $"names no backend: {version.Backend}");
            return null;
        }

        var policies = known.ToIds(version.Policies, (pointer, detail) => report.Problem($"{item.Pointer}/policies{pointer}", detail));
        var operations = DeclaredOperations.ToRequests(version.Operations, (pointer, detail) => report.Problem($"{item.Pointer}/operations{pointer}", detail));
        var check = new RequestCheck();
        check.Name("/name", version.Name);
        var parts = new RevisionParts(
            backend, operations, version.OpenApi is { } document ? JsonSerializer.SerializeToElement(document) : null, policies, version.OperationPolicies,
            new(version.ValidateBodies, version.RequireScopes, version.KeepExamples), Draft: false);
        var publication = Publication.Of(version.Name, version.Version, version.BasePath, parts);
        foreach (var problem in new[] { check.Problem, publication.Problem }.OfType<CatalogProblem>())
        {
            foreach (var error in problem.Errors)
            {
                // People write path where the snapshot says pathTemplate.
                var pointer = error.Pointer.StartsWith("/operations/", StringComparison.Ordinal) ? error.Pointer.Replace("/pathTemplate", "/path", StringComparison.Ordinal) : error.Pointer;
                report.Problem(item.Pointer + pointer, error.Detail);
            }
        }

        return check.Problem is null && publication.Problem is null ? publication.Value : null;
    }

    private static async Task<Ids?> InsertAsync(ConfigChange change, DeclaredItem item, Publication publication, DeclaredReport report)
    {
        var apiId = await change.Connection.ExecuteScalarAsync<Guid?>(change.Sql("update apis set etag = etag + 1 where name = @Name returning id", new { publication.Name }));
        if (apiId is null)
        {
            apiId = Guid.CreateVersion7(change.Now);
            await change.Connection.ExecuteAsync(change.Sql("insert into apis (id, name, created_at) values (@apiId, @Name, @Now)", new { apiId, publication.Name, change.Now }));
            change.Emit("openplatform.api.created", $"apis/{apiId}", new { id = apiId, publication.Name });
        }

        var place = change.PointerOf;
        var problem = await ApiStore.InsertVersionAsync(change, apiId.Value, publication);
        change.PointerOf = place;
        if (problem is not null)
        {
            DeclaredJson.Report(item, problem, report);
            return null;
        }

        return await FindAsync(change, publication.Name, publication.Version);
    }

    private static async Task<Ids?> FindAsync(ConfigChange change, string name, string version) => await change.Connection.QuerySingleOrDefaultAsync<Ids>(change.Sql(
        "select a.id as api_id, v.id as version_id, v.base_path from api_versions v join apis a on a.id = v.api_id where a.name = @name and v.version = @version", new { name, version }));

    /// <summary>Those of the items that are there, by name; also as drafts.</summary>
    private static async Task<IReadOnlyDictionary<string, Ids>> FindAllAsync(ConfigChange change, IReadOnlyList<DeclaredItem> items) =>
        (await change.Connection.QueryAsync<(string Name, Guid ApiId, Guid VersionId, string BasePath)>(change.Sql(
            """
            select a.name || '/' || v.version as name, a.id as api_id, v.id as version_id, v.base_path
            from unnest(@Names, @Versions) as named (name, version) join apis a on a.name = named.name join api_versions v on v.api_id = a.id and v.version = named.version
            """,
            new { Names = items.Select(static item => DeclaredJson.Text(item.Body, "name")).ToArray(), Versions = items.Select(static item => DeclaredJson.Text(item.Body, "version")).ToArray() })))
        .ToDictionary(static row => row.Name, static row => new Ids(row.ApiId, row.VersionId, row.BasePath), StringComparer.Ordinal);

    private static void Report(DeclaredItem item, CatalogProblem? problem, DeclaredReport report)
    {
        if (problem is not null)
        {
            DeclaredJson.Report(item, problem, report);
        }
    }

    private static JsonObject ToItem(Row row, IEnumerable<OperationRow> operations, KnownNames known)
    {
        var item = new JsonObject { ["name"] = row.Name, ["version"] = row.Version, ["basePath"] = row.BasePath, ["backend"] = row.Backend };
        if (row.Document is null)
        {
            item["operations"] = new JsonArray([.. operations.Select(static o => DeclaredOperations.ToItem(o.OperationId, o.Method, o.PathTemplate, o.Policies))]);
        }
        else
        {
            item["openApi"] = JsonNode.Parse(row.Document);
            var own = operations.Where(static operation => operation.Policies is not null).ToArray();
            if (own.Length > 0)
            {
                item["operationPolicies"] = new JsonObject(own.Select(static o => KeyValuePair.Create(o.OperationId, JsonNode.Parse(o.Policies!))));
            }
        }

        if (row.Policies is not null)
        {
            item["policies"] = known.ToNames(JsonNode.Parse(row.Policies)!);
        }

        if (row.State != LifecycleStates.Published)
        {
            item["lifecycle"] = Node(new DeclaredEnd(row.State, row.DeprecatedAt, row.SunsetAt, row.Successor, row.Documentation));
        }

        if (row.BlockedReason is not null)
        {
            item["blocked"] = Node(new DeclaredBlock(row.BlockedReason, row.BlockedUntil));
        }

        return item;
    }

    private static JsonNode? Node<T>(T value) => JsonSerializer.SerializeToNode(value, WithoutNulls);

    private sealed record Ids(Guid ApiId, Guid VersionId, string BasePath);

    private sealed record Row(
        Guid Id, string Name, string Version, string BasePath, string Backend, string? Policies, string? Document, string State, DateTimeOffset? DeprecatedAt,
        DateTimeOffset? SunsetAt, string? Successor, string? Documentation, string? BlockedReason, DateTimeOffset? BlockedUntil);

    private sealed record OperationRow(Guid VersionId, string OperationId, string Method, string PathTemplate, string? Policies);
}
