using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Serialization;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Credentials;

/// <summary>A public key as a JSON web key (RFC 7517). It has no member for anything private: a private key is refused, unread.</summary>
/// <param name="KeyOps">As WebCrypto writes it; not looked at, like <paramref name="Ext"/> and <paramref name="Alg"/>.</param>
public sealed record JwkRequest(
    string? Kty, string? Crv = null, string? X = null, string? Y = null, string? N = null, string? E = null, string? Use = null, string? Kid = null, string? Alg = null,
    [property: JsonPropertyName("key_ops")] IReadOnlyList<string?>? KeyOps = null, bool? Ext = null);

/// <summary>A public key that counts here.</summary>
/// <param name="Spki">SubjectPublicKeyInfo, DER.</param>
/// <param name="Algorithm">Of <see cref="SigningAlgorithms"/>; the kind of key decides it.</param>
internal sealed record KeyMaterial(byte[] Spki, string Algorithm)
{
    private const string P256 = "1.2.840.10045.3.1.7";
    private const string Expected = "must be a public key, P-256 or RSA of 2048 to 8192 bits, in PEM (BEGIN PUBLIC KEY)";

    /// <summary>The key of a PEM text, or what is wrong with it; the text is never repeated.</summary>
    public static (KeyMaterial? Key, string? Problem) OfPem(string pem)
    {
        if (Block(pem, "PUBLIC KEY") is not { } der)
        {
            return (null, HoldsPrivateKey(pem) ? "holds a private key; keep that and send the public one" : Expected);
        }

        try
        {
            using var ec = ECDsa.Create();
            ec.ImportSubjectPublicKeyInfo(der, out var read);
            return read == der.Length && ec.ExportParameters(includePrivateParameters: false).Curve.Oid.Value == P256
                ? (new(ec.ExportSubjectPublicKeyInfo(), SigningAlgorithms.EcdsaP256), null)
                : (null, Expected);
        }
        catch (CryptographicException)
        {
            // No elliptic curve; RSA then.
        }

        try
        {
            using var rsa = RSA.Create();
            rsa.ImportSubjectPublicKeyInfo(der, out var read);
            return read == der.Length && rsa.KeySize is >= 2048 and <= 8192
                ? (new(rsa.ExportSubjectPublicKeyInfo(), SigningAlgorithms.RsaPss), null)
                : (null, Expected);
        }
        catch (CryptographicException)
        {
            return (null, Expected);
        }
    }

    /// <summary>The key of a JSON web key, or what is wrong with it.</summary>
    public static (KeyMaterial? Key, string? Problem) OfJwk(JwkRequest jwk) =>
        JwkReader.Read(new(Kid: "", jwk.Kty ?? "", Alg: null, jwk.Crv, jwk.X, jwk.Y, jwk.N, jwk.E) { Use = jwk.Use }, out var problem) is { } spki
            ? (new(spki, jwk.Kty == "EC" ? SigningAlgorithms.EcdsaP256 : SigningAlgorithms.RsaPss), null)
            : (null, problem);

    /// <summary>The certificate of a PEM text, or what is wrong with it. The caller disposes it.</summary>
    public static (X509Certificate2? Certificate, string? Problem) CertificateOfPem(string pem)
    {
        const string Wanted = "must be one certificate in PEM (BEGIN CERTIFICATE)";
        if (HoldsPrivateKey(pem))
        {
            return (null, "holds a private key; keep that and send the certificate alone");
        }

        try
        {
            return Block(pem, "CERTIFICATE") is { } der ? (X509CertificateLoader.LoadCertificate(der), null) : (null, Wanted);
        }
        catch (CryptographicException)
        {
            return (null, Wanted);
        }
    }

    /// <summary>The DER of the only block of the text, or null when it has another label.</summary>
    private static byte[]? Block(string pem, string label) =>
        PemEncoding.TryFind(pem, out var fields) && pem[fields.Label] == label
        && string.IsNullOrWhiteSpace(pem[..fields.Location.Start.Value]) && string.IsNullOrWhiteSpace(pem[fields.Location.End.Value..])
            ? Convert.FromBase64String(pem[fields.Base64Data])
            : null;

    private static bool HoldsPrivateKey(string pem) => pem.Contains("PRIVATE KEY-----", StringComparison.Ordinal);
}
