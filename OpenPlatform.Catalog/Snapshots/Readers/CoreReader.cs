using Dapper;
using OpenPlatform.Catalog.Tokens;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Snapshots.Readers;

/// <summary>Issuers.</summary>
internal static class CoreReader
{
    public static async Task<Snapshot> ReadAsync(ConfigChange change, Snapshot snapshot)
    {
        await using var rows = await change.Connection.QueryMultipleAsync(change.Sql(
            """
            select id, issuer, audience, public_key from token_keys order by issuer, audience, signs_from;

            select id, from_at from token_revocations where expires_at > @Now order by id;
            """, new { change.Now }));
        var keys = await rows.ReadAsync<TokenKeyRow>();
        var ends = (await rows.ReadAsync<RevocationRow>()).AsList();
        Guid[] revoked = [.. ends.Where(static end => end.FromAt is null).Select(static end => end.Id)];
        var ending = ends.Where(static end => end.FromAt is not null).ToDictionary(static end => end.Id, static end => end.FromAt!.Value);
        return snapshot with
        {
            Issuers =
            [
                .. keys.GroupBy(static k => (k.Issuer, k.Audience)).Select(issuer =>
                    new IssuerModel(issuer.Key.Issuer, issuer.Key.Audience, [JwkReader.Es256], Keys: [.. issuer.Select(static k => PublishedKey.ToJwk(k.Id, k.PublicKey))])
                    {
                        Revoked = revoked.Length == 0 ? null : revoked,
                        Ending = ending.Count == 0 ? null : ending,
                    }),
            ],
        };
    }

    private sealed record RevocationRow(Guid Id, DateTimeOffset? FromAt);

    private sealed record TokenKeyRow(Guid Id, string Issuer, string Audience, byte[] PublicKey);
}
