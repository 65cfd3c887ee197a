using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Accounts;
using OpenPlatform.Catalog.Security.Oidc;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Security;

/// <summary>Finds out who calls: a holder of one of the two tokens of the deployment, a machine, a person who logged in, or one whom the identity provider knows.</summary>
internal sealed class Callers(
    AccessTokenStore tokens, SessionStore sessions, OidcTokens oidc, StorageState storage, IOptions<CatalogOptions> options, TimeProvider time)
{
    /// <summary>How many headers are remembered; a power of two.</summary>
    private const int Remembered = 256;

    /// <summary>Characters; nothing of ours is longer.</summary>
    private const int LongestRemembered = 256;

    private readonly DeploymentTokens _deployment = new(options.Value);
    private readonly byte[] _pepper = options.Value.KeyPepperBytes;

    // Kestrel gives the same string for the same header of a connection again. So a token is hashed once a connection, which costs more than all else that is decided here;
    // it is found by what the string is, not by what is in it, so the time tells nothing. A slot that two write at once holds one of both.
    private readonly PresentedToken?[] _recent = new PresentedToken?[Remembered];

    /// <summary>Null: nobody whom we know.</summary>
    /// <param name="header">The whole <c>Authorization</c> header.</param>
    /// <exception cref="TimeoutException">It is one that the database knows, and that is not ready.</exception>
    public ValueTask<Caller?> FindOrNullAsync(string header, CancellationToken cancellationToken)
    {
        ref var recent = ref _recent[RuntimeHelpers.GetHashCode(header) & (Remembered - 1)];
        if (recent is not { } presented || !ReferenceEquals(presented.Header, header))
        {
            presented = Read(header);
            if (header.Length <= LongestRemembered)
            {
                recent = presented;
            }
        }

        return presented switch
        {
            { Known: { } known } => new(known),
            { Signed: { } signed } => new(oidc.CallerOrNullAsync(signed, cancellationToken)),
            { TokenHash: null, SessionHash: null } => default,
            _ when !storage.IsReady => throw new TimeoutException("The catalog is starting: its database is not ready yet."),
            { TokenHash: { } hash } => new(tokens.CallerOrNullAsync(hash, time.GetUtcNow(), cancellationToken)),
            { SessionHash: { } hash } => new(sessions.CallerOrNullAsync(hash, time.GetUtcNow())),
        };
    }

    private PresentedToken Read(string header)
    {
        var nothing = new PresentedToken(header);
        if (PresentedToken.SecretOrNull(header) is not { } secret)
        {
            return nothing;
        }

        if (_deployment.HolderOrNull(secret) is { } known)
        {
            return nothing with { Known = known };
        }

        return oidc.LooksLikeToken(secret) ? nothing with { Signed = secret }
            : secret.StartsWith(BearerSecret.TokenPrefix, StringComparison.Ordinal) ? nothing with { TokenHash = BearerSecret.HashOrNull(_pepper, secret) }
            : secret.StartsWith(BearerSecret.SessionPrefix, StringComparison.Ordinal) ? nothing with { SessionHash = BearerSecret.HashOrNull(_pepper, secret) }
            : nothing;
    }
}
