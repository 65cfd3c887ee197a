using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace OpenPlatform.Catalog.Tokens;

/// <summary>What an access token says, as far as the catalog asks.</summary>
/// <param name="Id">Its <c>jti</c>.</param>
internal sealed record AccessToken(Guid Id, Guid Client, Guid CredentialId, string? Scope, DateTimeOffset IssuedAt, DateTimeOffset ExpiresAt);

/// <summary>Makes and reads access tokens (RFC 9068). Any replica does: what it needs is in the database.</summary>
internal sealed class TokenIssuer(NpgsqlDataSource database, SigningKeys keys, IOptions<TokenOptions> options, TimeProvider time)
{
    public const string CredentialClaim = "cred";

    /// <summary>When the credential ends, where the token ends with it: gateways allow nothing for clocks that differ then.</summary>
    private const string CredentialEndClaim = "cred_exp";

    /// <summary>What a client asked for, and its plans grant: null when of what it asked nothing is granted.</summary>
    /// <param name="asked">Names with spaces between them; null: all that is granted.</param>
    public async Task<string?> ScopeOrNullAsync(OAuthClient client, string? asked, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var granted = (await connection.QueryAsync<string>(new(
            """
            select distinct scope
            from subscriptions s
            join plans p on p.id = s.plan_id
            join plan_revisions r on r.plan_id = p.id and r.revision = p.current_revision
            cross join lateral jsonb_array_elements_text(coalesce(r.terms -> 'scopes', '[]')) as scope
            where s.application_id = @Id and s.state = 'active'
            order by scope
            """, new { client.Id }, cancellationToken: cancellationToken))).AsList();
        if (asked is null)
        {
            return string.Join(' ', granted);
        }

        var wanted = asked.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToHashSet(StringComparer.Ordinal);
        var cut = string.Join(' ', granted.Where(wanted.Contains));
        return cut.Length == 0 && wanted.Count > 0 ? null : cut;
    }

    /// <summary>A new token, and how long it counts.</summary>
    public async Task<(string Token, TimeSpan Lifetime)> IssueAsync(OAuthClient client, string scope, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var issued = now.ToUnixTimeSeconds();
        var ends = client.ExpiresAt is { } expires && expires < now + options.Value.Lifetime ? expires : now + options.Value.Lifetime;
        var (keyId, key) = await keys.CurrentAsync(cancellationToken);
        var claims = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["iss"] = options.Value.Issuer, ["sub"] = client.Id, ["aud"] = options.Value.Audience, ["client_id"] = client.Id, ["jti"] = Guid.CreateVersion7(now),
            ["iat"] = issued, ["exp"] = ends.ToUnixTimeSeconds(), [CredentialClaim] = client.CredentialId,
        };
        if (client.ExpiresAt is { } end && end <= ends)
        {
            claims[CredentialEndClaim] = end.ToUnixTimeSeconds();
        }

        if (scope.Length > 0)
        {
            claims["scope"] = scope;
        }

        await UsedAsync(client, now, cancellationToken);
        return (CompactJwt.Sign("at+jwt", keyId, key, claims), TimeSpan.FromSeconds(ends.ToUnixTimeSeconds() - issued));
    }

    /// <summary>The token, or null when it is none of ours, has ended or was taken back.</summary>
    public async Task<AccessToken?> FindOrNullAsync(string text, CancellationToken cancellationToken)
    {
        using var jwt = CompactJwt.ReadOrNull(text);
        if (jwt is null || jwt.Header("typ") != "at+jwt" || jwt.Header("alg") != "ES256" || jwt.Claim("iss") != options.Value.Issuer
            || !Guid.TryParse(jwt.Header("kid"), out var keyId) || !Guid.TryParse(jwt.Claim("jti"), out var id) || !Guid.TryParse(jwt.Claim("client_id"), out var client)
            || !Guid.TryParse(jwt.Claim(CredentialClaim), out var credential) || jwt.Time("exp") is not { } expires || expires <= time.GetUtcNow() || jwt.Time("iat") is not { } issued)
        {
            return null;
        }

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var state = await connection.QuerySingleAsync<TokenState>(new(
            """
            select (select public_key from token_keys where id = @keyId) as public_key,
                   exists (select from token_revocations where id in (@id, @credential) and (from_at is null or from_at <= @now)) as is_revoked,
                   exists (select from applications where id = @client and not suspended) as is_known
            """, new { keyId, id, credential, client, now = time.GetUtcNow() }, cancellationToken: cancellationToken));
        return state is { PublicKey: { } key, IsRevoked: false, IsKnown: true } && jwt.IsSignedBy(key)
            ? new(id, client, credential, jwt.Claim("scope"), issued, expires)
            : null;
    }

    // To the day: the first token of a day writes.
    private async Task UsedAsync(OAuthClient client, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new(
            """
            insert into credential_uses (credential_id, last_used_on) values (@CredentialId, @today)
            on conflict (credential_id) do update set last_used_on = excluded.last_used_on where credential_uses.last_used_on < excluded.last_used_on
            """, new { client.CredentialId, today = DateOnly.FromDateTime(now.UtcDateTime) }, cancellationToken: cancellationToken));
    }

    private sealed record TokenState(byte[]? PublicKey, bool IsRevoked, bool IsKnown);
}
