using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Credentials;

/// <summary>What a credential is made of: what is stored, and <see cref="Generated"/>, which is shown once and stored nowhere.</summary>
internal sealed partial class CredentialMaterial
{
    private const int KeyIdCharacters = 16;

    public string? Generated { get; private init; }

    public byte[]? Hash { get; private init; }

    public string? Prefix { get; private init; }

    public string? KeyId { get; private init; }

    public string? Algorithm { get; private init; }

    /// <summary>The envelope of a secret, or a public key as SubjectPublicKeyInfo.</summary>
    public byte[]? Key { get; private init; }

    public byte[]? Thumbprint { get; private init; }

    /// <summary>When a certificate ends by itself, UTC.</summary>
    public DateTimeOffset? EndsAt { get; private init; }

    /// <summary>The material, or null after <paramref name="check"/> was told what is wrong.</summary>
    public static CredentialMaterial? Make(Guid id, DateTimeOffset now, CredentialRequest request, ReadOnlySpan<byte> pepper, Envelopes envelopes, RequestCheck check)
    {
        Refuse("/keyId", request.KeyId, request.Type is CredentialType.Hmac or CredentialType.PublicKey, "belongs to hmac and public-key");
        Refuse("/publicKey", request.PublicKey, request.Type is CredentialType.PublicKey or CredentialType.ClientKey, "belongs to public-key and client-key");
        Refuse("/jwk", request.Jwk, request.Type is CredentialType.PublicKey or CredentialType.ClientKey, "belongs to public-key and client-key");
        Refuse("/certificate", request.Certificate, request.Type == CredentialType.Certificate, "belongs to certificate");
        if (request.KeyId is { } keyId && !KeyIdPattern().IsMatch(keyId))
        {
            check.Add("/keyId", "must be 1 to 128 letters, digits, dots, underscores and hyphens");
        }

        return check.Problem is not null && request.Type is CredentialType.ApiKey or CredentialType.Hmac or CredentialType.ClientSecret ? null : request.Type switch
        {
            CredentialType.ApiKey => Hashed(GeneratedSecret.Create(GeneratedSecret.ApiKey), pepper),
            CredentialType.ClientSecret => Hashed(GeneratedSecret.Create(GeneratedSecret.ClientSecret), pepper),
            CredentialType.Hmac => Enveloped(id, request.KeyId, envelopes, check),
            CredentialType.Certificate => OfCertificate(request.Certificate, now, check),
            _ => OfPublicKey(request, check),
        };

        void Refuse(string pointer, object? member, bool belongs, string where)
        {
            if (member is not null && !belongs)
            {
                check.Add(pointer, where);
            }
        }
    }

    /// <summary>Of an API key that somebody brings; null after <paramref name="check"/> was told what is wrong.</summary>
    public static CredentialMaterial? OfKey(string key, ReadOnlySpan<byte> pepper, RequestCheck check)
    {
        if (key.Length < CatalogOptions.MinSecretLength || Encoding.UTF8.GetByteCount(key) > KeyHash.MaxKeyBytes)
        {
            check.Add("/key", $"must be {CatalogOptions.MinSecretLength} characters to {KeyHash.MaxKeyBytes} bytes");
            return null;
        }

        return Hashed(key, pepper);
    }

    private static CredentialMaterial Hashed(string secret, ReadOnlySpan<byte> pepper) =>
        new() { Generated = secret, Hash = GeneratedSecret.Hash(pepper, secret), Prefix = GeneratedSecret.Shown(secret) };

    private static CredentialMaterial? Enveloped(Guid id, string? keyId, Envelopes envelopes, RequestCheck check)
    {
        if (!envelopes.CanSeal)
        {
            check.Add("/type", "cannot be had here: the catalog has no OpenPlatform:EnvelopeKey");
            return null;
        }

        var secret = GeneratedSecret.Create(GeneratedSecret.SigningSecret);
        return new()
        {
            Generated = secret, Prefix = GeneratedSecret.Shown(secret), KeyId = keyId ?? NewKeyId(), Algorithm = SigningAlgorithms.Hmac,
            Key = envelopes.Seal(id, Encoding.UTF8.GetBytes(secret)),
        };
    }

    private static CredentialMaterial? OfPublicKey(CredentialRequest request, RequestCheck check)
    {
        if (request.PublicKey is null == request.Jwk is null)
        {
            check.Add("/publicKey", "is required, or jwk in its place, not both");
            return null;
        }

        var (key, problem) = request.PublicKey is { } pem ? KeyMaterial.OfPem(pem) : KeyMaterial.OfJwk(request.Jwk!);
        if (key is null)
        {
            check.Add(request.PublicKey is null ? "/jwk" : "/publicKey", problem!);
            return null;
        }

        // The token endpoint tries the few keys of an application; only a signed request names one.
        return new() { Key = key.Spki, Algorithm = key.Algorithm, KeyId = request.Type == CredentialType.PublicKey ? request.KeyId ?? NewKeyId() : null };
    }

    private static CredentialMaterial? OfCertificate(string? pem, DateTimeOffset now, RequestCheck check)
    {
        if (pem is null)
        {
            check.Add("/certificate", "is required");
            return null;
        }

        var (certificate, problem) = KeyMaterial.CertificateOfPem(pem);
        using (certificate)
        {
            if (certificate is null)
            {
                check.Add("/certificate", problem!);
                return null;
            }

            var ends = new DateTimeOffset(certificate.NotAfter).ToUniversalTime();
            if (ends <= now)
            {
                check.Add("/certificate", $"has ended at {ends:u}");
                return null;
            }

            return new() { Thumbprint = certificate.GetCertHash(HashAlgorithmName.SHA256), EndsAt = ends };
        }
    }

    private static string NewKeyId() => "key-" + RandomNumberGenerator.GetString("0123456789abcdefghijklmnopqrstuvwxyz", KeyIdCharacters);

    [GeneratedRegex("^[A-Za-z0-9._-]{1,128}\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex KeyIdPattern();
}
