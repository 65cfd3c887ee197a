using Dapper;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Snapshots.Readers;

/// <summary>Backends, plans, issuers.</summary>
internal static class CoreReader
{
    public static async Task<Snapshot> ReadAsync(ConfigChange change, Snapshot snapshot)
    {
        await using var rows = await change.Connection.QueryMultipleAsync(change.Sql(
            """
            select id as backend_id, name, service, addresses, protocol, balancing::text, health::text, dns::text from backends order by id;

            select id as plan_id, name from plans order by id;

            select plan_id, requests, window_seconds from plan_rate_limits order by plan_id, ordinal;
            """));
        var backends = await rows.ReadAsync<BackendRow>();
        var plans = (await rows.ReadAsync<PlanRow>()).AsList();
        var limits = (await rows.ReadAsync<LimitRow>()).ToLookup(static l => l.PlanId, static l => new RateLimitModel(l.Requests, l.WindowSeconds));
        return snapshot with
        {
            Backends = [.. backends.Select(static b => b.ToModel())],
            Plans = [.. plans.Select(p => new PlanModel(p.PlanId, p.Name, [.. limits[p.PlanId]]))],
        };
    }

    private sealed record BackendRow(Guid BackendId, string Name, string? Service, string[] Addresses, string? Protocol, string? Balancing, string? Health, string? Dns)
    {
        public BackendModel ToModel() => new(BackendId, Name, Service, [.. Addresses.Select(static a => new Uri(a))])
        {
            Protocol = Protocol,
            Balancing = PolicyJson.Model(Balancing, SnapshotJson.Default.BalancingPolicy),
            Health = PolicyJson.Model(Health, SnapshotJson.Default.HealthPolicy),
            Dns = PolicyJson.Model(Dns, SnapshotJson.Default.DnsModel),
        };
    }

    private sealed record PlanRow(Guid PlanId, string Name);

    private sealed record LimitRow(Guid PlanId, long Requests, int WindowSeconds);
}
