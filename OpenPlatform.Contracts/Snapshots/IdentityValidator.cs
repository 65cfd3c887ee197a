using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>Checks signing keys, certificates, issuers and what plans accept.</summary>
internal static partial class IdentityValidator
{
    private const int Thumbprint = 32;

    public static void Validate(Snapshot snapshot, KnownIds applications, Action<string, string> problem)
    {
        ValidateSigningKeys(snapshot.SigningKeys ?? [], applications, problem);
        ValidateCertificates(snapshot.Certificates ?? [], applications, problem);
        ValidateIssuers(snapshot.Issuers ?? [], applications, problem);
        for (var i = 0; i < snapshot.Plans.Count; i++)
        {
            ValidateSchemes(snapshot.Plans[i], $"/plans/{i}", problem);
        }
    }

    private static void ValidateSchemes(PlanModel plan, string at, Action<string, string> problem)
    {
        if (plan.Schemes is { } schemes)
        {
            if (schemes.Count == 0)
            {
                problem($"{at}/schemes", "must name at least one scheme; leave it out for API keys alone");
            }

            for (var i = 0; i < schemes.Count; i++)
            {
                if (!CredentialSchemes.All.Contains(schemes[i]))
                {
                    problem($"{at}/schemes/{i}", $"must be one of {string.Join(", ", CredentialSchemes.All)}");
                }
            }
        }

        // A replay can only be told by a nonce that is signed.
        if (plan.ReplayCheck == true && (plan.Schemes is null || plan.Schemes.Any(static s => s is not (CredentialSchemes.Hmac or CredentialSchemes.Signature))))
        {
            problem($"{at}/replayCheck", $"asks for schemes that sign a nonce: only {CredentialSchemes.Hmac} and {CredentialSchemes.Signature}");
        }
    }

    private static void ValidateSigningKeys(IReadOnlyList<SigningKeyModel> keys, KnownIds applications, Action<string, string> problem)
    {
        var ids = new HashSet<Guid>();
        var keyIds = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < keys.Count; i++)
        {
            var at = $"/signingKeys/{i}";
            if (keys[i] is not { } key)
            {
                problem(at, "must not be null");
                continue;
            }

            ValidateOwner(key.CredentialId, key.ApplicationId, ids, applications, at, problem);
            if (!KeyId().IsMatch(key.KeyId))
            {
                problem($"{at}/keyId", "must match [A-Za-z0-9._-]{1,128}");
            }
            else if (!keyIds.Add(key.KeyId))
            {
                problem($"{at}/keyId", "belongs to another key already");
            }

            switch (key.Algorithm)
            {
                case SigningAlgorithms.Hmac when !SecretEnvelope.LooksRight(key.Key.Span):
                    problem($"{at}/key", "must be a secret in its envelope: version 1, nonce, ciphertext of 1 to 1024 bytes, tag");
                    break;
                case SigningAlgorithms.EcdsaP256 when !IsP256(key.Key.Span):
                    problem($"{at}/key", "must be a P-256 public key as SubjectPublicKeyInfo, DER");
                    break;
                case SigningAlgorithms.RsaPss when !IsRsa(key.Key.Span):
                    problem($"{at}/key", "must be an RSA public key of 2048 to 8192 bits as SubjectPublicKeyInfo, DER");
                    break;
                case var algorithm when !SigningAlgorithms.All.Contains(algorithm):
                    problem($"{at}/algorithm", $"must be one of {string.Join(", ", SigningAlgorithms.All)}");
                    break;
            }
        }
    }

    private static void ValidateCertificates(IReadOnlyList<CertificateModel> certificates, KnownIds applications, Action<string, string> problem)
    {
        var ids = new HashSet<Guid>();
        var thumbprints = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < certificates.Count; i++)
        {
            var at = $"/certificates/{i}";
            if (certificates[i] is not { } certificate)
            {
                problem(at, "must not be null");
                continue;
            }

            ValidateOwner(certificate.CredentialId, certificate.ApplicationId, ids, applications, at, problem);
            if (certificate.Thumbprint.Length != Thumbprint)
            {
                problem($"{at}/thumbprint", $"must be the SHA-256 of the certificate, {Thumbprint} bytes");
            }
            else if (!thumbprints.Add(Convert.ToHexString(certificate.Thumbprint.Span)))
            {
                problem($"{at}/thumbprint", "belongs to another certificate already");
            }
        }
    }

    private static void ValidateIssuers(IReadOnlyList<IssuerModel> issuers, KnownIds applications, Action<string, string> problem)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < issuers.Count; i++)
        {
            var at = $"/issuers/{i}";
            if (issuers[i] is not { } issuer)
            {
                problem(at, "must not be null");
                continue;
            }

            if (issuer.Issuer.Length is 0 or > 512 || !names.Add(issuer.Issuer))
            {
                problem($"{at}/issuer", "must be 1 to 512 characters and unique");
            }

            if (issuer.Audience.Length is 0 or > 512)
            {
                problem($"{at}/audience", "must be 1 to 512 characters");
            }

            if (issuer.Algorithms.Count == 0 || issuer.Algorithms.Any(static a => !JwkReader.Algorithms.Contains(a)))
            {
                problem($"{at}/algorithms", $"must be one or more of {string.Join(", ", JwkReader.Algorithms)}");
            }

            if (issuer.JwksUri is null && issuer.Keys is not { Count: > 0 })
            {
                problem($"{at}/jwksUri", "is needed when no keys are given");
            }
            else if (issuer.JwksUri is { } uri && !IsSafe(uri))
            {
                problem($"{at}/jwksUri", "must be an https URL, or an http one to loopback or to a service by its name");
            }

            if (issuer.ApplicationClaim is { Length: 0 or > 128 })
            {
                problem($"{at}/applicationClaim", "must be 1 to 128 characters");
            }

            foreach (var (claim, application) in issuer.Applications ?? new Dictionary<string, Guid>())
            {
                if (!applications.Contains(application))
                {
                    problem($"{at}/applications/{claim.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}", $"names no application: {application}");
                }
            }

            ValidateKeys(issuer.Keys ?? [], $"{at}/keys", problem);
        }
    }

    private static void ValidateKeys(IReadOnlyList<JwkModel> keys, string at, Action<string, string> problem)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < keys.Count; i++)
        {
            if (keys[i] is not { } key)
            {
                problem($"{at}/{i}", "must not be null");
            }
            else if (key.Kid.Length is 0 or > 256 || !ids.Add(key.Kid))
            {
                problem($"{at}/{i}/kid", "must be 1 to 256 characters and unique at its issuer");
            }
            else if (JwkReader.Read(key, out var wrong) is null)
            {
                problem($"{at}/{i}", wrong!);
            }
        }
    }

    private static void ValidateOwner(Guid credential, Guid application, HashSet<Guid> ids, KnownIds applications, string at, Action<string, string> problem)
    {
        if (credential == Guid.Empty || !ids.Add(credential))
        {
            problem($"{at}/credentialId", "must be a unique, non-empty id");
        }

        if (!applications.Contains(application))
        {
            problem($"{at}/applicationId", $"names no application: {application}");
        }
    }

    /// <summary>Keys fetched in clear over a network could be anybody's.</summary>
    private static bool IsSafe(Uri uri) =>
        uri.IsAbsoluteUri && uri.UserInfo.Length == 0 && uri.Fragment.Length == 0
        && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && (uri.IsLoopback || !uri.Host.Contains('.', StringComparison.Ordinal))));

    private static bool IsP256(ReadOnlySpan<byte> der)
    {
        try
        {
            using var key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(der, out var read);
            return read == der.Length && key.ExportParameters(includePrivateParameters: false).Curve.Oid.Value == "1.2.840.10045.3.1.7";
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static bool IsRsa(ReadOnlySpan<byte> der)
    {
        try
        {
            using var key = RSA.Create();
            key.ImportSubjectPublicKeyInfo(der, out var read);
            return read == der.Length && key.KeySize is >= 2048 and <= 8192;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    [GeneratedRegex("^[A-Za-z0-9._-]{1,128}\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex KeyId();
}
