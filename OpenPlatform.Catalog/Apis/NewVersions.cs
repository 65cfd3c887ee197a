using System.Text.Json;
using Dapper;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>Many new versions at once, each published in its first revision: a statement for each table, whatever their number.</summary>
internal static class NewVersions
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>In the order of <paramref name="publications"/>; null, and nothing is written, when a path or a label is taken: one by one that is said where it stands.</summary>
    /// <param name="publications">No drafts; what backends they name is there.</param>
    public static async Task<IReadOnlyList<(Guid ApiId, Guid VersionId)>?> TryInsertAllAsync(ConfigChange change, IReadOnlyList<Publication> publications)
    {
        if (publications.Count == 0)
        {
            return [];
        }

        string[] paths = [.. publications.Select(static p => p.BasePath.ToLowerInvariant())]; // ASCII, as the validator has it
        if (paths.Distinct(StringComparer.Ordinal).Count() < paths.Length || publications.DistinctBy(static p => (p.Name, p.Version)).Count() < publications.Count
            || await change.Connection.ExecuteScalarAsync<bool>(change.Sql(
                """
                select exists (select from api_versions where lower(base_path) = any(@paths))
                    or exists (select from unnest(@Names, @Versions) as named (name, version) join apis a on a.name = named.name join api_versions v on v.api_id = a.id and v.version = named.version)
                """, new { paths, Names = Column(publications, static p => p.Name), Versions = Column(publications, static p => p.Version) })))
        {
            return null;
        }

        var apis = await ApisAsync(change, [.. publications.Select(static p => p.Name).Distinct(StringComparer.Ordinal)]);
        (Guid ApiId, Guid VersionId)[] ids = [.. publications.Select(p => (apis[p.Name], Guid.CreateVersion7(change.Now)))];
        var operations = publications.SelectMany((p, i) => p.Operations.Select((operation, ordinal) => (ids[i].VersionId, Ordinal: ordinal, Operation: operation))).ToList();
        await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into api_versions (id, api_id, version, base_path, state, current_revision, created_at)
            select id, api_id, version, base_path, 'published', 1, @Now from unnest(@Ids, @Apis, @Versions, @Paths) as row (id, api_id, version, base_path);

            insert into api_revisions (version_id, revision, backend_id, document, policies, findings, created_at, published_at)
            select version_id, 1, backend_id, document::json, policies::jsonb, findings::jsonb, @Now, @Now
            from unnest(@Ids, @Backends, @Documents, @Policies, @Findings) as row (version_id, backend_id, document, policies, findings);

            insert into api_operations (version_id, revision, ordinal, operation_id, method, path_template, policies)
            select version_id, 1, ordinal, operation_id, method, path_template, policies::jsonb
            from unnest(@Owners, @Ordinals, @OperationIds, @Methods, @Templates, @OperationPolicies) as row (version_id, ordinal, operation_id, method, path_template, policies);
            """,
            new
            {
                change.Now, Ids = Column(ids, static id => id.VersionId), Apis = Column(ids, static id => id.ApiId),
                Versions = Column(publications, static p => p.Version), Paths = Column(publications, static p => p.BasePath), Backends = Column(publications, static p => p.BackendId),
                Documents = Column(publications, static p => p.Document), Policies = Column(publications, static p => PolicyJson.Text(p.Policies, SnapshotJson.Default.ApiPolicies)),
                Findings = Column(publications, static p => p.Document is null ? null : JsonSerializer.Serialize(p.Findings, Json)),
                Owners = Column(operations, static o => o.VersionId), Ordinals = Column(operations, static o => o.Ordinal), OperationIds = Column(operations, static o => o.Operation.OperationId),
                Methods = Column(operations, static o => o.Operation.Method), Templates = Column(operations, static o => o.Operation.PathTemplate),
                OperationPolicies = Column(operations, static o => PolicyJson.Text(o.Operation.Policies, SnapshotJson.Default.OperationPolicies)),
            }));
        foreach (var (apiId, versionId) in ids)
        {
            RevisionStore.EmitPublished(change, apiId, versionId, 1);
        }

        return ids;
    }

    /// <summary>Ids by name: those that are there, which change by getting another version, and new ones.</summary>
    private static async Task<IReadOnlyDictionary<string, Guid>> ApisAsync(ConfigChange change, string[] names)
    {
        var ids = (await change.Connection.QueryAsync<(string Name, Guid Id)>(change.Sql("update apis set etag = etag + 1 where name = any(@names) returning name, id", new { names })))
            .ToDictionary(static row => row.Name, static row => row.Id, StringComparer.Ordinal);
        string[] added = [.. names.Where(name => !ids.ContainsKey(name))];
        Guid[] addedIds = [.. added.Select(_ => Guid.CreateVersion7(change.Now))];
        await change.Connection.ExecuteAsync(change.Sql(
            "insert into apis (id, name, created_at) select id, name, @Now from unnest(@addedIds, @added) as row (id, name)", new { addedIds, added, change.Now }));
        for (var i = 0; i < added.Length; i++)
        {
            ids[added[i]] = addedIds[i];
            change.Emit("openplatform.api.created", $"apis/{addedIds[i]}", new { id = addedIds[i], Name = added[i] });
        }

        return ids;
    }

    private static TMember[] Column<T, TMember>(IReadOnlyList<T> rows, Func<T, TMember> member) => [.. rows.Select(member)];
}
