using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Credentials;

internal sealed class CredentialStore(NpgsqlDataSource database)
{
    // Never the hash: nobody outside needs it.
    private const string Columns = "id, application_id, name, prefix, created_at, expires_at, revoked_at, etag";

    public async Task<Credential?> FindOrNullAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<Credential>(
            new($"select {Columns} from credentials where id = @id", new { id }, cancellationToken: cancellationToken));
    }

    /// <param name="application">Only those of this application; null: all.</param>
    public async Task<IReadOnlyList<Credential>> ListAsync(Guid? application, PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var filter = application is null ? "" : "application_id = @application and";
        return (await connection.QueryAsync<Credential>(new(
            $"select {Columns} from credentials where {filter} id > @After order by id limit @Fetch", new { application, page.After, page.Fetch }, cancellationToken: cancellationToken))).AsList();
    }

    /// <summary>The new credential with its key, or 422 for an unknown application.</summary>
    public static async Task<Outcome<IssuedCredential>> InsertAsync(ConfigChange change, CredentialRequest request, string key, byte[] pepper)
    {
        if (!await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from applications where id = @ApplicationId)", new { request.ApplicationId })))
        {
            return CatalogProblem.Invalid(new ProblemError("/applicationId", $"names no application: {request.ApplicationId}"));
        }

        var issued = new IssuedCredential(
            Guid.CreateVersion7(change.Now), request.ApplicationId!.Value, request.Name ?? CredentialRequest.DefaultName, ApiKey.Shown(key), key,
            change.Now, request.ExpiresAt?.ToUniversalTime(), 1);
        await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into credentials (id, application_id, name, hash, prefix, created_at, expires_at)
            values (@Id, @ApplicationId, @Name, @Hash, @Prefix, @CreatedAt, @ExpiresAt)
            """,
            new { issued.Id, issued.ApplicationId, issued.Name, Hash = ApiKey.Hash(pepper, key), issued.Prefix, issued.CreatedAt, issued.ExpiresAt }));
        return issued;
    }

    /// <summary>The revoked credential; revoking again changes nothing.</summary>
    public static async Task<Outcome<Credential>> RevokeAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var credential = await change.Connection.QuerySingleOrDefaultAsync<Credential>(change.Sql($"select {Columns} from credentials where id = @id for update", new { id }));
        if (credential is null)
        {
            return CatalogProblem.NotFound("credential", id);
        }

        if (ifMatch.Check(credential.Etag) is { } problem)
        {
            return problem;
        }

        return credential.RevokedAt is not null
            ? credential
            : await change.Connection.QuerySingleAsync<Credential>(change.Sql(
                $"update credentials set revoked_at = greatest(@Now, created_at), etag = etag + 1 where id = @id returning {Columns}", new { id, change.Now }));
    }
}
