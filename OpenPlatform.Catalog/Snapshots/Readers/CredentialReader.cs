using Dapper;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Snapshots.Readers;

/// <summary>What requests are known by: keys that are neither revoked nor expired.</summary>
internal static class CredentialReader
{
    /// <param name="segments">Null: all.</param>
    public static async Task<Snapshot> ReadAsync(ConfigChange change, Snapshot snapshot, string[]? segments)
    {
        var credentials = await change.Connection.QueryAsync<CredentialRow>(change.Sql(
            """
            select id as credential_id, application_id, hash, expires_at from credentials
            where revoked_at is null and (expires_at is null or expires_at > @Now) and (@segments::text[] is null or segment_of(hash) = any(@segments))
            order by id
            """, new { change.Now, segments }));
        return snapshot with { Credentials = [.. credentials.Select(static c => new CredentialModel(c.CredentialId, c.ApplicationId, c.Hash, c.ExpiresAt))] };
    }

    private sealed record CredentialRow(Guid CredentialId, Guid ApplicationId, byte[] Hash, DateTimeOffset? ExpiresAt);
}
