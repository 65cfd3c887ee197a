using System.Text.Json.Serialization;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>The ways in which a request can prove which application it is from; the words of <see cref="PlanModel.Schemes"/>.</summary>
public static class CredentialSchemes
{
    public const string ApiKey = "api-key";

    /// <summary>The platform's own signed form, docs/signing.md.</summary>
    public const string Hmac = "hmac";

    /// <summary>HTTP message signatures, RFC 9421.</summary>
    public const string Signature = "http-signature";

    /// <summary>JWT access tokens, RFC 9068.</summary>
    public const string Jwt = "jwt";

    /// <summary>A client certificate, known by its thumbprint.</summary>
    public const string Certificate = "mtls";

    public static IReadOnlyList<string> All { get; } = [ApiKey, Hmac, Signature, Jwt, Certificate];
}

/// <summary>Algorithms of signing keys, in the names of RFC 9421, section 6.2.2. No <c>ed25519</c>: the platform's cryptography has none.</summary>
public static class SigningAlgorithms
{
    public const string Hmac = "hmac-sha256";
    public const string EcdsaP256 = "ecdsa-p256-sha256";
    public const string RsaPss = "rsa-pss-sha512";

    public static IReadOnlyList<string> All { get; } = [Hmac, EcdsaP256, RsaPss];
}

/// <summary>A key with which an application signs its requests.</summary>
/// <param name="KeyId">What the request names it by (app key, <c>keyid</c>): <c>[A-Za-z0-9._-]{1,128}</c>, unique. Not a secret.</param>
/// <param name="Algorithm">One of <see cref="SigningAlgorithms"/>; what the request says about it never counts.</param>
/// <param name="Key"><c>hmac-sha256</c>: the secret in its <see cref="SecretEnvelope"/>. Otherwise the public key as SubjectPublicKeyInfo, DER.</param>
/// <param name="ExpiresAt">First instant at which it no longer counts, UTC; null: does not expire.</param>
public sealed record SigningKeyModel(
    Guid CredentialId, Guid ApplicationId, string KeyId, string Algorithm, ReadOnlyMemory<byte> Key, DateTimeOffset? ExpiresAt = null);

/// <summary>A client certificate of an application. Being listed is what makes it trusted: chains are not looked at.</summary>
/// <param name="Thumbprint">SHA-256 of the DER certificate, 32 bytes.</param>
public sealed record CertificateModel(Guid CredentialId, Guid ApplicationId, ReadOnlyMemory<byte> Thumbprint, DateTimeOffset? ExpiresAt = null);

/// <summary>Who issues access tokens that count here.</summary>
/// <param name="Issuer">Must equal the token's <c>iss</c>, character by character.</param>
/// <param name="Audience">Must be (in) the token's <c>aud</c>.</param>
/// <param name="Algorithms">Allowed ones, of ES256, RS256, PS256.</param>
/// <param name="JwksUri">Where its keys are fetched; https, or http to loopback or to a service of this platform. Null: only <paramref name="Keys"/>.</param>
/// <param name="Keys">Keys known beforehand.</param>
/// <param name="ApplicationClaim">The claim that names the application; null: <c>client_id</c>.</param>
/// <param name="Applications">Value of that claim → application; null: the value is the application's id itself.</param>
public sealed record IssuerModel(
    string Issuer, string Audience, IReadOnlyList<string> Algorithms, Uri? JwksUri = null, IReadOnlyList<JwkModel>? Keys = null,
    string? ApplicationClaim = null, IReadOnlyDictionary<string, Guid>? Applications = null)
{
    /// <summary>Tokens that count no more although they have not ended: by their <c>jti</c>, or by the credential (<c>cred</c>) they were got with.</summary>
    public IReadOnlyList<Guid>? Revoked { get; init; }

    /// <summary>When credentials (<c>cred</c>) end that were given an earlier end than tokens say that were got with them; those count no more from then on.</summary>
    public IReadOnlyDictionary<Guid, DateTimeOffset>? Ending { get; init; }
}

/// <summary>A public key (RFC 7517), of which nothing private has a member here.</summary>
public sealed record JwkModel(string Kid, string Kty, string? Alg = null, string? Crv = null, string? X = null, string? Y = null, string? N = null, string? E = null)
{
    /// <summary>An issuer's own document may name what a key is for; only <c>sig</c> (or nothing) is.</summary>
    [JsonPropertyName("use")]
    public string? Use { get; init; }
}
