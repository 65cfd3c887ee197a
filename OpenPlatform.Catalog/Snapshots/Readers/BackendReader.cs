using Dapper;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Snapshots.Readers;

/// <summary>Backends.</summary>
internal static class BackendReader
{
    /// <param name="segments">Null: all.</param>
    public static async Task<Snapshot> ReadAsync(ConfigChange change, Snapshot snapshot, string[]? segments)
    {
        var rows = await change.Connection.QueryAsync<Row>(change.Sql(
            """
            select id as backend_id, name, service, addresses, protocol, balancing::text, health::text, dns::text from backends
            where @segments::text[] is null or segment_of(id) = any(@segments) order by id
            """, new { segments }));
        return snapshot with { Backends = [.. rows.Select(static b => b.ToModel())] };
    }

    private sealed record Row(Guid BackendId, string Name, string? Service, string[] Addresses, string? Protocol, string? Balancing, string? Health, string? Dns)
    {
        public BackendModel ToModel() => new(BackendId, Name, Service, [.. Addresses.Select(static a => new Uri(a))])
        {
            Protocol = Protocol,
            Balancing = PolicyJson.Model(Balancing, SnapshotJson.Default.BalancingPolicy),
            Health = PolicyJson.Model(Health, SnapshotJson.Default.HealthPolicy),
            Dns = PolicyJson.Model(Dns, SnapshotJson.Default.DnsModel),
        };
    }
}
