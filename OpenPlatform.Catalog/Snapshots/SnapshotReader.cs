using Dapper;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>Reads what gateways run from the rows, ordered by id, so that equal content has equal bytes.</summary>
internal static class SnapshotReader
{
    /// <summary>The content as the transaction of <paramref name="change"/> sees it, with revision 0: number and time come later.</summary>
    public static async Task<Snapshot> ReadAsync(ConfigChange change)
    {
        await using var rows = await change.Connection.QueryMultipleAsync(change.Sql(
            """
            select v.api_id, a.name, v.version, v.id as version_id, v.current_revision as revision, v.base_path, r.backend_id
            from api_versions v
            join apis a on a.id = v.api_id
            join api_revisions r on r.version_id = v.id and r.revision = v.current_revision
            order by v.id;

            select o.version_id, o.operation_id, o.method, o.path_template
            from api_operations o
            join api_versions v on v.id = o.version_id and v.current_revision = o.revision
            order by o.version_id, o.ordinal;

            select id as backend_id, name, service, addresses from backends order by id;

            select id as plan_id, name from plans order by id;

            select plan_id, requests, window_seconds from plan_rate_limits order by plan_id, ordinal;

            select id as application_id, organization_id, name, suspended from applications order by id;

            select id as credential_id, application_id, hash, expires_at from credentials
            where revoked_at is null and (expires_at is null or expires_at > @Now) order by id;

            select id as subscription_id, application_id, version_id, plan_id from subscriptions where state = 'active' order by id;
            """, new { change.Now }));

        var versions = (await rows.ReadAsync<VersionRow>()).AsList();
        var operations = (await rows.ReadAsync<OperationRow>()).ToLookup(static o => o.VersionId, static o => new OperationModel(o.OperationId, o.Method, o.PathTemplate));
        var backends = await rows.ReadAsync<BackendRow>();
        var plans = (await rows.ReadAsync<PlanRow>()).AsList();
        var limits = (await rows.ReadAsync<LimitRow>()).ToLookup(static l => l.PlanId, static l => new RateLimitModel(l.Requests, l.WindowSeconds));
        var applications = await rows.ReadAsync<ApplicationModel>();
        var credentials = await rows.ReadAsync<CredentialRow>();
        var subscriptions = await rows.ReadAsync<SubscriptionModel>();

        return new Snapshot(0, DateTimeOffset.UnixEpoch,
            [.. versions.Select(v => new ApiModel(v.ApiId, v.Name, v.Version, v.VersionId, v.Revision, v.BasePath, v.BackendId, [.. operations[v.VersionId]]))],
            [.. backends.Select(static b => new BackendModel(b.BackendId, b.Name, b.Service, [.. b.Addresses.Select(static a => new Uri(a))]))],
            [.. plans.Select(p => new PlanModel(p.PlanId, p.Name, [.. limits[p.PlanId]]))],
            [.. applications],
            [.. credentials.Select(static c => new CredentialModel(c.CredentialId, c.ApplicationId, c.Hash, c.ExpiresAt))],
            [.. subscriptions]);
    }

    private sealed record VersionRow(Guid ApiId, string Name, string Version, Guid VersionId, int Revision, string BasePath, Guid BackendId);

    private sealed record OperationRow(Guid VersionId, string OperationId, string Method, string PathTemplate);

    private sealed record BackendRow(Guid BackendId, string Name, string? Service, string[] Addresses);

    private sealed record PlanRow(Guid PlanId, string Name);

    private sealed record LimitRow(Guid PlanId, long Requests, int WindowSeconds);

    private sealed record CredentialRow(Guid CredentialId, Guid ApplicationId, byte[] Hash, DateTimeOffset? ExpiresAt);
}
