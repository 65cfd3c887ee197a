using System.Buffers;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Tokens;

/// <summary>
/// Who asks for a token: <c>client_secret_basic</c>, <c>client_secret_post</c> (RFC 6749, 2.3.1) or <c>private_key_jwt</c> (RFC 7523, 2.2). One way a
/// request. Why a client is not believed is not told: not that it does not exist, nor that it is suspended.
/// </summary>
internal sealed class ClientAuthenticator(
    NpgsqlDataSource database, IOptions<CatalogOptions> catalog, IOptions<TokenOptions> options, GuessLimiter guesses, TimeProvider time)
{
    private const string JwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    /// <summary>How far the clock of a client may differ.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(30);

    /// <summary>An assertion may not count for longer: its jti is remembered as long.</summary>
    private static readonly TimeSpan LongestAssertion = TimeSpan.FromMinutes(10);

    private static readonly SearchValues<char> Printable = SearchValues.Create(Enumerable.Range(0x20, 0x5F).Select(static c => (char)c).ToArray());

    /// <summary>The client, or the error.</summary>
    public async Task<(OAuthClient? Client, OAuthError? Error)> AuthenticateAsync(HttpContext context, OAuthForm form)
    {
        var header = context.Request.Headers.Authorization;
        var assertion = form["client_assertion"];
        if ((header.Count > 0 ? 1 : 0) + (form["client_secret"] is null ? 0 : 1) + (assertion is null && form["client_assertion_type"] is null ? 0 : 1) is var ways && ways != 1)
        {
            return (null, ways == 0 ? OAuthError.InvalidClient("no client authentication") : OAuthError.InvalidRequest("more than one client authentication"));
        }

        if (assertion is not null || form["client_assertion_type"] is not null)
        {
            return assertion is null || form["client_assertion_type"] != JwtBearer
                ? (null, OAuthError.InvalidRequest("client_assertion and its type belong together; the type is " + JwtBearer))
                : await CheckedAsync(context, form["client_id"] ?? SubjectOf(assertion), client => ByAssertionAsync(client, assertion, context.RequestAborted));
        }

        var (id, secret) = header.Count > 0 ? OfBasic(header.ToString()) : (form["client_id"], form["client_secret"]);
        if (header.Count > 0 && form["client_id"] is { } repeated && repeated != id)
        {
            return (null, OAuthError.InvalidRequest("client_id differs from the one in the Authorization header"));
        }

        return await CheckedAsync(context, id, client => BySecretAsync(client, secret, context.RequestAborted));
    }

    private async Task<(OAuthClient? Client, OAuthError? Error)> CheckedAsync(HttpContext context, string? id, Func<Guid, Task<OAuthClient?>> find)
    {
        var address = context.Connection.RemoteIpAddress;
        if (id is null || id.AsSpan().ContainsAnyExcept(Printable) || !Guid.TryParseExact(id, "D", out var client))
        {
            return await guesses.IsShutAsync("", address) ? (null, OAuthError.TooManyFailures()) : await FailedAsync("");
        }

        var name = client.ToString();
        return await guesses.IsShutAsync(name, address) ? (null, OAuthError.TooManyFailures())
            : await find(client) is { } found ? (found, null)
            : await FailedAsync(name);

        async ValueTask<(OAuthClient?, OAuthError?)> FailedAsync(string whom)
        {
            await guesses.FailedAsync(whom, address);
            return (null, OAuthError.InvalidClient("client authentication failed"));
        }
    }

    // A look-up by a hash under a key that the caller does not know: its time says nothing about the secret.
    private async Task<OAuthClient?> BySecretAsync(Guid client, string? secret, CancellationToken cancellationToken)
    {
        var hash = new byte[KeyHash.Size];
        if (secret is null || !KeyHash.TryCompute(catalog.Value.KeyPepperBytes, secret, hash))
        {
            return null;
        }

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<OAuthClient>(new(
            $"select c.application_id as id, c.id as credential_id, c.expires_at from {LiveCredentials} and c.type = 'client-secret' and c.hash = @hash",
            new { client, hash, now = time.GetUtcNow() }, cancellationToken: cancellationToken));
    }

    private async Task<OAuthClient?> ByAssertionAsync(Guid client, string assertion, CancellationToken cancellationToken)
    {
        using var jwt = CompactJwt.ReadOrNull(assertion);
        var (now, id) = (time.GetUtcNow(), client.ToString());
        if (jwt is null || jwt.Claim("iss") != id || jwt.Claim("sub") != id || jwt.Claim("jti") is not { Length: > 0 and <= 256 } jti
            || !jwt.IsFor(options.Value.Issuer, options.Value.Issuer + TokenEndpoints.TokenPath)
            || jwt.Time("exp") is not { } expires || expires <= now - Skew || expires > now + LongestAssertion
            || (jwt.Has("nbf") && !(jwt.Time("nbf") <= now + Skew)) || (jwt.Has("iat") && !(jwt.Time("iat") <= now + Skew)))
        {
            return null;
        }

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var keys = await connection.QueryAsync<ClientKey>(new(
            $"select c.id as credential_id, c.key, c.expires_at from {LiveCredentials} and c.type = 'client-key'", new { client, now }, cancellationToken: cancellationToken));
        if (keys.FirstOrDefault(key => jwt.IsSignedBy(key.Key)) is not { } signer)
        {
            return null;
        }

        // Only now: an assertion is used up by who made it, not by who made it up.
        var isNew = await connection.ExecuteAsync(new(
            "insert into token_assertions (application_id, jti_sha256, expires_at) values (@client, @jti, @until) on conflict do nothing",
            new { client, jti = SHA256.HashData(Encoding.UTF8.GetBytes(jti)), until = expires + Skew + Skew }, cancellationToken: cancellationToken));
        return isNew == 1 ? new(client, signer.CredentialId, signer.ExpiresAt) : null;
    }

    private const string LiveCredentials =
        """
        credentials c join applications a on a.id = c.application_id
        where c.application_id = @client and not a.suspended and c.revoked_at is null and (c.expires_at is null or c.expires_at > @now)
        """;

    private static string? SubjectOf(string assertion)
    {
        using var jwt = CompactJwt.ReadOrNull(assertion);
        return jwt?.Claim("sub");
    }

    /// <summary>Id and secret of a header such as <c>Basic aWQ6c2VjcmV0</c>; both were encoded as in a form before (RFC 6749, 2.3.1).</summary>
    private static (string? Id, string? Secret) OfBasic(string header)
    {
        const string Basic = "Basic ";
        if (!header.StartsWith(Basic, StringComparison.OrdinalIgnoreCase))
        {
            return default;
        }

        var bytes = new byte[header.Length];
        if (!Convert.TryFromBase64String(header[Basic.Length..].Trim(), bytes, out var length))
        {
            return default;
        }

        var pair = Encoding.UTF8.GetString(bytes, 0, length).Split(':', 2);
        return pair.Length == 2 ? (WebUtility.UrlDecode(pair[0]), WebUtility.UrlDecode(pair[1])) : default;
    }

    private sealed record ClientKey(Guid CredentialId, byte[] Key, DateTimeOffset? ExpiresAt);
}
