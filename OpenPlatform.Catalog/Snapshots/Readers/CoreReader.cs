using Dapper;
using OpenPlatform.Catalog.Plans;
using OpenPlatform.Catalog.Tokens;
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

            select p.id as plan_id, p.name, r.terms::text as terms
            from plans p join plan_revisions r on r.plan_id = p.id and r.revision = p.current_revision
            where p.state <> 'draft' order by p.id;

            select id, issuer, audience, public_key from token_keys order by issuer, audience, signs_from;

            select id from token_revocations where expires_at > @Now order by id;
            """, new { change.Now }));
        var backends = await rows.ReadAsync<BackendRow>();
        var plans = await rows.ReadAsync<PlanRow>();
        var keys = await rows.ReadAsync<TokenKeyRow>();
        var revoked = (await rows.ReadAsync<Guid>()).AsList();
        return snapshot with
        {
            Backends = [.. backends.Select(static b => b.ToModel())],
            Plans = [.. plans.Select(static p => PlanStore.ModelOf(p.PlanId, p.Name, p.Terms))],
            Issuers =
            [
                .. keys.GroupBy(static k => (k.Issuer, k.Audience)).Select(issuer =>
                    new IssuerModel(issuer.Key.Issuer, issuer.Key.Audience, [JwkReader.Es256], Keys: [.. issuer.Select(static k => PublishedKey.ToJwk(k.Id, k.PublicKey))])
                    {
                        Revoked = revoked.Count == 0 ? null : revoked,
                    }),
            ],
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

    private sealed record TokenKeyRow(Guid Id, string Issuer, string Audience, byte[] PublicKey);

    private sealed record PlanRow(Guid PlanId, string Name, string Terms);
}
