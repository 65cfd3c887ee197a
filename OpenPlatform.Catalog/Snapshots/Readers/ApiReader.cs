using Dapper;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Snapshots.Readers;

/// <summary>API versions in their current revision.</summary>
internal static class ApiReader
{
    /// <param name="versions">Null: all.</param>
    public static async Task<Snapshot> ReadAsync(ConfigChange change, Snapshot snapshot, Guid[]? versions)
    {
        await using var rows = await change.Connection.QueryMultipleAsync(change.Sql(
            """
            select v.api_id, a.name, v.version, v.id as version_id, v.current_revision as revision, v.base_path, r.backend_id, r.policies::text,
                   v.state, v.deprecated_at, v.sunset_at, s.base_path as successor, v.documentation, v.blocked_reason, v.blocked_until
            from api_versions v
            join apis a on a.id = v.api_id
            join api_revisions r on r.version_id = v.id and r.revision = v.current_revision
            left join api_versions s on s.id = v.successor_id
            where @versions::uuid[] is null or v.id = any(@versions)
            order by v.id;

            select o.version_id, o.operation_id, o.method, o.path_template, o.policies::text
            from api_operations o
            join api_versions v on v.id = o.version_id and v.current_revision = o.revision
            where @versions::uuid[] is null or v.id = any(@versions)
            order by o.version_id, o.ordinal;
            """, new { versions }));
        var apis = (await rows.ReadAsync<VersionRow>()).AsList();
        var operations = (await rows.ReadAsync<OperationRow>()).ToLookup(static o => o.VersionId, static o => o.ToModel());
        return snapshot with { Apis = [.. apis.Select(v => v.ToModel([.. operations[v.VersionId]]))] };
    }

    private sealed record VersionRow(
        Guid ApiId, string Name, string Version, Guid VersionId, int Revision, string BasePath, Guid BackendId, string? Policies,
        string State, DateTimeOffset? DeprecatedAt, DateTimeOffset? SunsetAt, string? Successor, string? Documentation, string? BlockedReason, DateTimeOffset? BlockedUntil)
    {
        public ApiModel ToModel(IReadOnlyList<OperationModel> operations) => new(ApiId, Name, Version, VersionId, Revision, BasePath, BackendId, operations)
        {
            Policies = PolicyJson.Model(Policies, SnapshotJson.Default.ApiPolicies),
            Lifecycle = State == LifecycleStates.Published ? null : new(State, DeprecatedAt, SunsetAt, Successor, Documentation),
            Blocked = BlockedReason is null ? null : new(BlockedReason, BlockedUntil),
        };
    }

    private sealed record OperationRow(Guid VersionId, string OperationId, string Method, string PathTemplate, string? Policies)
    {
        public OperationModel ToModel() => new(OperationId, Method, PathTemplate) { Policies = PolicyJson.Model(Policies, SnapshotJson.Default.OperationPolicies) };
    }
}
