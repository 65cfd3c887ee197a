using System.Buffers.Text;
using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Authentication.Tokens;

/// <summary>
/// JWT access tokens (RFC 9068). The issuer's model says which algorithms count, the key says which of them it is for; the token
/// only chooses among what both allow. A token that was seen lately costs a hash and a look-up.
/// </summary>
internal sealed class TokenAuthenticator(IOptions<AuthenticationOptions> options, TimeProvider time)
{
    public const int LongestToken = 8192;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 8, AllowDuplicateProperties = false };

    private readonly long _skewTicks = options.Value.TokenClockSkew.Ticks;
    private readonly TimeSpan _keysTimeout = options.Value.IssuerKeysTimeout;

    /// <summary>True when the text can be a signed JWT: three parts, the first of them an encoded JSON object. No API key of the platform looks so.</summary>
    public static bool LooksLikeToken(ReadOnlySpan<char> text) => text.StartsWith("eyJ") && text.Count('.') == 2;

    /// <summary>The answer at once, when the token was verified lately. Allocates nothing.</summary>
    public bool TryKnown(ReadOnlySpan<char> token, GatewayRequest request, IdentityIndex identity, out KeyDigest digest)
    {
        digest = default;
        Span<byte> utf8 = stackalloc byte[LongestToken];
        if (token.Length > LongestToken || !Encoding.UTF8.TryGetBytes(token, utf8, out var length))
        {
            return false;
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(utf8[..length], hash);
        digest = KeyDigest.Read(hash);
        if (identity.Tokens.Find(digest, time.GetUtcNow().UtcTicks) is not { } known)
        {
            return false;
        }

        request.TokenScopes = known.Scopes;
        return request.TryIdentify(known.ApplicationId);
    }

    /// <summary>Verifies the token from its beginning; fills in the application, or says why not.</summary>
    /// <param name="digest">From <see cref="TryKnown"/>.</param>
    public async ValueTask<Refusal> AuthenticateAsync(string token, KeyDigest digest, GatewayRequest request, IdentityIndex identity)
    {
        if (Read(token) is not { } parts)
        {
            return Refusal.InvalidToken;
        }

        using var header = parts.Header;
        using var claims = parts.Claims;
        if (Text(claims, "iss") is not { } iss || !identity.Issuers.TryGetValue(iss, out var issuer)
            || Text(header, "alg") is not { } algorithm || !issuer.Allows(algorithm)
            || Text(header, "typ") is not { } type || !IsAccessToken(type)
            || header.RootElement.TryGetProperty("crit", out _)
            || !IsFor(claims, issuer.Audience)
            || Text(claims, issuer.ApplicationClaim) is not { } claim || issuer.Application(claim) is not { } application
            || issuer.IsRevoked(Text(claims, "jti")) || issuer.IsRevoked(Text(claims, "cred")))
        {
            return Refusal.InvalidToken;
        }

        var now = time.GetUtcNow().UtcTicks;
        if (Time(claims, "exp") is not { } expires || Time(claims, "nbf", 0) > now + _skewTicks || Time(claims, "iat", 0) > now + _skewTicks)
        {
            return Refusal.InvalidToken;
        }

        // The end of a credential is no clock's business: it comes from the catalog, as that of a key does.
        var ends = Math.Min(expires + _skewTicks, Math.Min(issuer.EndOf(Text(claims, "cred")), Time(claims, "cred_exp", long.MaxValue) ?? 0));
        if (now >= ends)
        {
            return Refusal.ExpiredToken;
        }

        var keyId = header.RootElement.TryGetProperty("kid", out _) ? Text(header, "kid") ?? string.Empty : null;
        var keys = issuer.Keys.Current;
        if (keys.Find(keyId) is null)
        {
            await issuer.Keys.RefreshForUnknownKeyAsync().WaitAsync(_keysTimeout).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            keys = issuer.Keys.Current;
        }

        if (keys.Find(keyId) is not { } key)
        {
            return keys.Count == 0 ? Refusal.IssuerKeysUnavailable : Refusal.InvalidToken;
        }

        if (!key.Algorithms.Contains(algorithm) || !Verify(key.Key, algorithm, token.AsSpan(0, token.LastIndexOf('.')), parts.Signature))
        {
            return Refusal.InvalidToken;
        }

        if (!request.TryIdentify(application))
        {
            return Refusal.InvalidToken;
        }

        // RFC 8693, 4.2: names with spaces between them. Anything else grants nothing.
        var scopes = (Text(claims, "scope") ?? string.Empty).Split(' ', StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.Ordinal);
        identity.Tokens.Add(digest, new(application, ends, issuer, keys, scopes));
        request.TokenScopes = scopes;
        return Refusal.None;
    }

    private static bool Verify(VerificationKey key, string algorithm, ReadOnlySpan<char> signed, byte[] signature)
    {
        Span<byte> data = stackalloc byte[LongestToken];
        data = data[..Encoding.ASCII.GetBytes(signed, data)];
        return algorithm switch
        {
            JwkReader.Es256 => key.VerifyEcdsaSha256(data, signature),
            JwkReader.Rs256 => key.VerifyRsa(data, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            JwkReader.Ps256 => key.VerifyRsa(data, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pss),
            _ => false,
        };
    }

    /// <summary>The three parts, or null when they are not base64url of two JSON objects and a signature.</summary>
    internal static (JsonDocument Header, JsonDocument Claims, byte[] Signature)? Read(string token)
    {
        var parts = token.Split('.');
        if (token.Length > LongestToken || parts.Length != 3 || parts.Any(static part => part.Length == 0 || !part.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')))
        {
            return null;
        }

        JsonDocument? header = null;
        try
        {
            header = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[0]), Strict);
            var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[1]), Strict);
            if (header.RootElement.ValueKind == JsonValueKind.Object && claims.RootElement.ValueKind == JsonValueKind.Object)
            {
                return (header, claims, Base64Url.DecodeFromChars(parts[2]));
            }

            claims.Dispose();
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            // Not a token; the caller says so.
        }

        header?.Dispose();
        return null;
    }

    private static bool IsAccessToken(string type) =>
        type.Equals("at+jwt", StringComparison.OrdinalIgnoreCase) || type.Equals("application/at+jwt", StringComparison.OrdinalIgnoreCase);

    private static bool IsFor(JsonDocument claims, string audience) =>
        claims.RootElement.TryGetProperty("aud", out var given) && given.ValueKind switch
        {
            JsonValueKind.String => given.ValueEquals(audience),
            JsonValueKind.Array => given.EnumerateArray().Any(one => one.ValueKind == JsonValueKind.String && one.ValueEquals(audience)),
            _ => false,
        };

    private static string? Text(JsonDocument json, string name)
    {
        try
        {
            return json.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null; // half of a surrogate pair
        }
    }

    /// <summary>A NumericDate (RFC 7519, 2) in UTC ticks; <paramref name="absent"/> when it is not there, out of reach when it is no date.</summary>
    private static long? Time(JsonDocument claims, string name, long? absent = null)
    {
        if (!claims.RootElement.TryGetProperty(name, out var value))
        {
            return absent;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var seconds) && seconds is >= 0 and <= 100_000_000_000
            ? DateTime.UnixEpoch.Ticks + (long)(seconds * TimeSpan.TicksPerSecond)
            : name == "exp" ? null : long.MaxValue;
    }
}
