using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Accounts;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Security.Oidc;

/// <summary>
/// Signed tokens of the identity provider (RFC 7519). The key says which algorithms count; the token only chooses among them. What is not
/// exactly right is nobody's.
/// </summary>
internal sealed class OidcTokens(OidcKeys keys, IOptions<OidcOptions> options, TimeProvider time)
{
    private const int LongestToken = 16 * 1024;
    private const int LongestSubject = 150;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 16, AllowDuplicateProperties = false };

    private readonly OidcOptions _options = options.Value;

    /// <summary>True when the text can be a signed token and there is somebody who may have signed it.</summary>
    public bool LooksLikeToken(string text) => _options.IsOn && text.Length <= LongestToken && text.StartsWith("eyJ", StringComparison.Ordinal) && text.AsSpan().Count('.') == 2;

    /// <summary>Whom the token is of, or null when it does not count. Without a role of ours it is known and may do nothing.</summary>
    public async Task<Caller?> CallerOrNullAsync(string token, CancellationToken cancellationToken)
    {
        var parts = token.Split('.');
        if (ReadOrNull(parts[0]) is not { } header)
        {
            return null;
        }

        using var ownedHeader = header;
        if (Text(header.RootElement, "alg") is not { } algorithm || Text(header.RootElement, "kid") is not { } keyId
            || header.RootElement.TryGetProperty("crit", out _)
            || header.RootElement.TryGetProperty("typ", out _) && Text(header.RootElement, "typ")?.ToLowerInvariant() is not ("jwt" or "at+jwt" or "application/at+jwt")
            || await keys.FindOrNullAsync(keyId, cancellationToken) is not { } key
            || !key.Algorithms.Contains(algorithm)
            || BytesOrNull(parts[2]) is not { } signature
            || !IsSigned(key, algorithm, Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), signature)
            || ReadOrNull(parts[1]) is not { } claims)
        {
            return null;
        }

        using (claims)
        {
            return CallerOrNull(claims.RootElement);
        }
    }

    private Caller? CallerOrNull(JsonElement claims)
    {
        var now = time.GetUtcNow();
        if (Text(claims, "iss") != _options.Authority || !Values(claims, "aud").Contains(_options.Audience, StringComparer.Ordinal)
            || Instant(claims, "exp") is not { } expires || expires + _options.ClockSkew <= now
            || claims.TryGetProperty("nbf", out _) && !(Instant(claims, "nbf") - _options.ClockSkew <= now)
            || Text(claims, "sub") is not { Length: > 0 and <= LongestSubject } subject || subject.Any(char.IsControl))
        {
            return null;
        }

        var roles = Values(claims, _options.RoleClaim).Select(value => _options.Roles.GetValueOrDefault(value)).OfType<string>().Select(RoleNames.RoleOrNull).OfType<Role>().Distinct().ToList();
        if (!roles.Contains(Role.Developer))
        {
            return new($"oidc:{subject}", roles, null);
        }

        // A developer is of one organization and nothing else, whatever else the groups say.
        return Guid.TryParse(Text(claims, _options.OrganizationClaim), out var organization) ? new($"oidc:{subject}", [Role.Developer], organization) : null;
    }

    private static bool IsSigned(OidcKey key, string algorithm, byte[] data, byte[] signature)
    {
        if (key.IsEc)
        {
            using var ec = ECDsa.Create();
            ec.ImportSubjectPublicKeyInfo(key.PublicKey, out _);
            return algorithm == JwkReader.Es256 && ec.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        }

        using var rsa = RSA.Create();
        rsa.ImportSubjectPublicKeyInfo(key.PublicKey, out _);
        return algorithm switch
        {
            JwkReader.Rs256 => rsa.VerifyData(data, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            JwkReader.Ps256 => rsa.VerifyData(data, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pss),
            _ => false,
        };
    }

    private static JsonDocument? ReadOrNull(string part)
    {
        if (BytesOrNull(part) is not { } bytes)
        {
            return null;
        }

        try
        {
            var document = JsonDocument.Parse(bytes, Strict);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
            return null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static byte[]? BytesOrNull(string part) =>
        part.Length > 0 && part.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') && Base64Url.IsValid(part) ? Base64Url.DecodeFromChars(part) : null;

    private static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out var value) ? TextOrNull(value) : null;

    private static string? TextOrNull(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null; // half of a surrogate pair
        }
    }

    /// <summary>One text or a list of texts.</summary>
    private static IReadOnlyList<string> Values(JsonElement claims, string name) => !claims.TryGetProperty(name, out var value) ? [] : value.ValueKind switch
    {
        JsonValueKind.String => TextOrNull(value) is { } text ? [text] : [],
        JsonValueKind.Array => [.. value.EnumerateArray().Select(TextOrNull).OfType<string>()],
        _ => [],
    };

    /// <summary>A NumericDate (RFC 7519, 2), or null when it is none.</summary>
    private static DateTimeOffset? Instant(JsonElement claims, string name) =>
        claims.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var seconds) && seconds is >= 0 and <= 100_000_000_000
            ? DateTimeOffset.UnixEpoch.AddSeconds(seconds)
            : null;
}

internal static class OidcServices
{
    public static IServiceCollection AddOidc(this IServiceCollection services)
    {
        services.AddOptions<OidcOptions>().BindConfiguration(OidcOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<OidcOptions>, OidcOptionsValidator>();
        services.AddHttpClient(OidcKeys.ClientName);
        return services.AddSingleton<OidcKeys>().AddSingleton<OidcTokens>();
    }
}
