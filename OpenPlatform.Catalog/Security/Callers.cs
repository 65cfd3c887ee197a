using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Accounts;
using OpenPlatform.Catalog.Security.Oidc;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Security;

/// <summary>Finds out whom a bearer token is of: a machine's token, the session of an account, or a token of the identity provider.</summary>
internal sealed class Callers(
    AccessTokenStore tokens, SessionStore sessions, OidcTokens oidc, StorageState storage, IOptions<CatalogOptions> options, TimeProvider time)
{
    /// <summary>Null: nobody's.</summary>
    /// <exception cref="TimeoutException">It is one that the database knows, and that is not ready.</exception>
    public async Task<Caller?> FindOrNullAsync(string presented, CancellationToken cancellationToken)
    {
        if (oidc.LooksLikeToken(presented))
        {
            return await oidc.CallerOrNullAsync(presented, cancellationToken);
        }

        var isToken = presented.StartsWith(BearerSecret.TokenPrefix, StringComparison.Ordinal);
        if ((!isToken && !presented.StartsWith(BearerSecret.SessionPrefix, StringComparison.Ordinal))
            || BearerSecret.HashOrNull(options.Value.KeyPepperBytes, presented) is not { } hash)
        {
            return null;
        }

        if (!storage.IsReady)
        {
            throw new TimeoutException("The catalog is starting: its database is not ready yet.");
        }

        return isToken
            ? await tokens.CallerOrNullAsync(hash, time.GetUtcNow(), cancellationToken)
            : await sessions.CallerOrNullAsync(hash, time.GetUtcNow());
    }
}
