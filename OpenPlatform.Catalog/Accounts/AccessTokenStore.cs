using System.Security.Cryptography;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Accounts;

internal sealed class AccessTokenStore(NpgsqlDataSource database)
{
    private const string Columns =
        "id, name, roles, organization_id, prefix, created_at, expires_at, revoked_at, (select last_used_on::timestamp from access_token_uses where token_id = id) as last_used, etag";

    internal const string ByHash =
        """
        select t.id, t.roles, t.organization_id, t.hash, t.expires_at, u.last_used_on::timestamp as last_used
        from access_tokens t left join access_token_uses u on u.token_id = t.id
        where t.hash = any(@keys) and t.revoked_at is null
        """;

    private readonly KeyedReads<byte[], Known> _byHash = new(database, ByHash,
        // The index found it by comparing bytes, which the pepper makes no use of to anybody; this comparison tells nothing by its time.
        static (row, hash) => CryptographicOperations.FixedTimeEquals(row.Hash, hash));

    public async Task<AccessToken?> FindOrNullAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QuerySingleOrDefaultAsync<Row>(new($"select {Columns} from access_tokens where id = @id", new { id }, cancellationToken: cancellationToken)))?.ToToken();
    }

    public async Task<IReadOnlyList<AccessToken>> ListAsync(PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new($"select {Columns} from access_tokens where id > @After order by id limit @Fetch", page, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToToken())];
    }

    /// <summary>Whom a token is of, or null when it does not count.</summary>
    public async Task<Caller?> CallerOrNullAsync(byte[] hash, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var row = await _byHash.FindOrNullAsync(hash);
        if (row is null || row.ExpiresAt <= now)
        {
            return null;
        }

        if (row.LastUsed != now.UtcDateTime.Date)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            await connection.ExecuteAsync(new(
                """
                insert into access_token_uses as u (token_id, last_used_on) values (@Id, @today)
                on conflict (token_id) do update set last_used_on = excluded.last_used_on where u.last_used_on < excluded.last_used_on
                """, new { row.Id, today = now.UtcDateTime.Date }, cancellationToken: cancellationToken));
        }

        return new($"token:{row.Id}", RoleNames.Roles(row.Roles), row.OrganizationId);
    }

    /// <summary>The new token, or 422 for an unknown organization.</summary>
    public static async Task<Outcome<IssuedToken>> InsertAsync(ConfigChange change, AccessTokenRequest request, byte[] pepper)
    {
        if (await AccountStore.UnknownOrganizationAsync(change, request.OrganizationId) is { } problem)
        {
            return problem;
        }

        var token = BearerSecret.Create(BearerSecret.TokenPrefix);
        var issued = new IssuedToken(
            Guid.CreateVersion7(change.Now), request.Name!, RoleNames.Roles(RoleNames.Of(request.Roles!)), request.OrganizationId, BearerSecret.Shown(token), token,
            change.Now, request.ExpiresAt?.ToUniversalTime(), 1);
        await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into access_tokens (id, name, roles, organization_id, hash, prefix, created_at, expires_at)
            values (@Id, @Name, @Roles, @OrganizationId, @Hash, @Prefix, @CreatedAt, @ExpiresAt)
            """,
            new { issued.Id, issued.Name, Roles = RoleNames.Of(issued.Roles), issued.OrganizationId, Hash = BearerSecret.HashOrNull(pepper, token), issued.Prefix, issued.CreatedAt, issued.ExpiresAt }));
        return issued;
    }

    /// <summary>The revoked token; revoking again changes nothing.</summary>
    public static async Task<Outcome<AccessToken>> RevokeAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var token = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql($"select {Columns} from access_tokens where id = @id for update", new { id }));
        if (token is null)
        {
            return CatalogProblem.NotFound("token", id);
        }

        if (ifMatch.Check(token.Etag) is { } problem)
        {
            return problem;
        }

        return token.RevokedAt is not null
            ? token.ToToken()
            : (await change.Connection.QuerySingleAsync<Row>(change.Sql(
                $"update access_tokens set revoked_at = greatest(@Now, created_at), etag = etag + 1 where id = @id returning {Columns}", new { id, change.Now }))).ToToken();
    }

    private sealed record Known(Guid Id, string[] Roles, Guid? OrganizationId, byte[] Hash, DateTimeOffset? ExpiresAt, DateTime? LastUsed);

    private sealed record Row(
        Guid Id, string Name, string[] Roles, Guid? OrganizationId, string Prefix, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt,
        DateTime? LastUsed, long Etag)
    {
        public AccessToken ToToken() =>
            new(Id, Name, RoleNames.Roles(Roles), OrganizationId, Prefix, CreatedAt, ExpiresAt, RevokedAt, LastUsed is { } day ? DateOnly.FromDateTime(day) : null, Etag);
    }
}
