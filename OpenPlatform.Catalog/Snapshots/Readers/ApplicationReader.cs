using Dapper;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Snapshots.Readers;

/// <summary>Applications and their active subscriptions.</summary>
internal static class ApplicationReader
{
    /// <param name="segments">Null: all.</param>
    public static async Task<Snapshot> ReadAsync(ConfigChange change, Snapshot snapshot, string[]? segments)
    {
        await using var rows = await change.Connection.QueryMultipleAsync(change.Sql(
            """
            select id as application_id, organization_id, name, suspended, addresses::text as addresses from applications
            where @segments::text[] is null or segment_of(id) = any(@segments) order by id;

            select id as subscription_id, application_id, version_id, plan_id from subscriptions
            where state = 'active' and (@segments::text[] is null or segment_of(application_id) = any(@segments)) order by id;
            """, new { segments }));
        return snapshot with
        {
            Applications = [.. (await rows.ReadAsync<ApplicationRow>()).Select(static a => a.ToModel())],
            Subscriptions = [.. await rows.ReadAsync<SubscriptionModel>()],
        };
    }

    private sealed record ApplicationRow(Guid ApplicationId, Guid OrganizationId, string Name, bool Suspended, string? Addresses)
    {
        public ApplicationModel ToModel() =>
            new(ApplicationId, OrganizationId, Name, Suspended) { Addresses = PolicyJson.Model(Addresses, SnapshotJson.Default.AddressPolicy) };
    }
}
