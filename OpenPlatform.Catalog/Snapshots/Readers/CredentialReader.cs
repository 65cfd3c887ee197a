using Dapper;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Snapshots.Readers;

/// <summary>What requests are known by: keys and certificates that are neither revoked nor expired. What only the token endpoint asks for is not among them.</summary>
internal static class CredentialReader
{
    /// <param name="segments">Null: all.</param>
    public static async Task<Snapshot> ReadAsync(ConfigChange change, Snapshot snapshot, string[]? segments)
    {
        await using var rows = await change.Connection.QueryMultipleAsync(change.Sql(
            """
            select id as credential_id, application_id, hash, expires_at from credentials
            where type = 'api-key' and revoked_at is null and (expires_at is null or expires_at > @Now) and (@segments::text[] is null or segment_of(hash) = any(@segments))
            order by id;

            select id as credential_id, application_id, key_id, algorithm, key, expires_at from credentials
            where type in ('hmac', 'public-key') and revoked_at is null and (expires_at is null or expires_at > @Now)
                and (@segments::text[] is null or segment_of(key_id) = any(@segments))
            order by id;

            select id as credential_id, application_id, thumbprint, expires_at from credentials
            where type = 'certificate' and revoked_at is null and (expires_at is null or expires_at > @Now) and (@segments::text[] is null or segment_of(thumbprint) = any(@segments))
            order by id;
            """, new { change.Now, segments }));
        var keys = await rows.ReadAsync<KeyRow>();
        var signing = await rows.ReadAsync<SigningKeyRow>();
        var certificates = await rows.ReadAsync<CertificateRow>();
        return snapshot with
        {
            Credentials = [.. keys.Select(static c => new CredentialModel(c.CredentialId, c.ApplicationId, c.Hash, c.ExpiresAt))],
            SigningKeys = [.. signing.Select(static k => new SigningKeyModel(k.CredentialId, k.ApplicationId, k.KeyId, k.Algorithm, k.Key, k.ExpiresAt))],
            Certificates = [.. certificates.Select(static c => new CertificateModel(c.CredentialId, c.ApplicationId, c.Thumbprint, c.ExpiresAt))],
        };
    }

    private sealed record KeyRow(Guid CredentialId, Guid ApplicationId, byte[] Hash, DateTimeOffset? ExpiresAt);

    private sealed record SigningKeyRow(Guid CredentialId, Guid ApplicationId, string KeyId, string Algorithm, byte[] Key, DateTimeOffset? ExpiresAt);

    private sealed record CertificateRow(Guid CredentialId, Guid ApplicationId, byte[] Thumbprint, DateTimeOffset? ExpiresAt);
}
