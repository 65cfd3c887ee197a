using Microsoft.Extensions.Primitives;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Authentication;

/// <summary><see cref="CredentialSchemes"/> as a set.</summary>
[Flags]
internal enum CredentialScheme
{
    None = 0,
    ApiKey = 1,
    Hmac = 2,
    Signature = 4,
    Jwt = 8,
    Certificate = 16,
}

/// <summary>What a plan accepts, and how the caller is told (RFC 9110, 11.6.1).</summary>
internal static class CredentialSchemeSet
{
    public const string Realm = "realm=\"openplatform\"";

    /// <param name="schemes">Null: API keys alone.</param>
    public static CredentialScheme Of(IReadOnlyList<string>? schemes) =>
        schemes?.Aggregate(CredentialScheme.None, static (set, name) => set | Of(name)) ?? CredentialScheme.ApiKey;

    /// <summary>The values of <c>WWW-Authenticate</c>. A certificate has none: it is asked for before HTTP begins.</summary>
    public static StringValues Challenge(CredentialScheme schemes)
    {
        var challenges = new List<string>(3);
        if ((schemes & (CredentialScheme.ApiKey | CredentialScheme.Jwt)) != CredentialScheme.None)
        {
            challenges.Add("Bearer " + Realm);
        }

        if (schemes.HasFlag(CredentialScheme.Hmac))
        {
            challenges.Add("OpenPlatform-HMAC-SHA256 " + Realm);
        }

        if (schemes.HasFlag(CredentialScheme.Signature))
        {
            challenges.Add("Signature " + Realm);
        }

        return challenges.ToArray();
    }

    private static CredentialScheme Of(string name) => name switch
    {
        CredentialSchemes.ApiKey => CredentialScheme.ApiKey,
        CredentialSchemes.Hmac => CredentialScheme.Hmac,
        CredentialSchemes.Signature => CredentialScheme.Signature,
        CredentialSchemes.Jwt => CredentialScheme.Jwt,
        CredentialSchemes.Certificate => CredentialScheme.Certificate,
        _ => CredentialScheme.None,
    };
}
