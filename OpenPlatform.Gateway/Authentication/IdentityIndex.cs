using System.Collections.Frozen;
using Microsoft.Extensions.Primitives;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Authentication.Tokens;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Authentication;

/// <summary>What a snapshot knows of identities beside API keys; a snapshot that knows none has no index.</summary>
internal sealed class IdentityIndex
{
    /// <summary>By key id.</summary>
    public required FrozenDictionary<string, SigningKeyEntry> SigningKeys { get; init; }

    /// <summary>By the SHA-256 of the certificate.</summary>
    public required FrozenDictionary<KeyDigest, CredentialEntry> Certificates { get; init; }

    /// <summary>By the value of <c>iss</c>.</summary>
    public required FrozenDictionary<string, IssuerEntry> Issuers { get; init; }

    /// <summary>Tokens that were verified under this snapshot: with the next one they are verified again.</summary>
    public required TokenCache Tokens { get; init; }

    /// <summary>What a request without any credential is asked for.</summary>
    public required StringValues Challenge { get; init; }
}

/// <summary>Builds the index of a snapshot; opens the envelopes of secrets.</summary>
internal sealed class IdentityCompiler : IDisposable
{
    private readonly SecretEnvelope[] _envelopes;
    private readonly IssuerKeys _issuerKeys;
    private readonly int _rememberedTokens;

    /// <exception cref="InvalidOperationException">A key of the envelopes is set and is none.</exception>
    public IdentityCompiler(IConfiguration configuration, IssuerKeys issuerKeys, Microsoft.Extensions.Options.IOptions<AuthenticationOptions> options)
    {
        _issuerKeys = issuerKeys;
        _rememberedTokens = options.Value.RememberedTokens;

        // The previous one, so that a key can be replaced while snapshots under either are about.
        _envelopes = [.. new[] { "OpenPlatform:EnvelopeKey", "OpenPlatform:PreviousEnvelopeKey" }
            .Where(name => !string.IsNullOrEmpty(configuration[name]))
            .Select(name => Envelope(name, configuration[name]!))];
    }

    /// <summary>What only a gateway can find wrong: a secret that does not open.</summary>
    public IEnumerable<SnapshotProblem> FindProblems(Snapshot snapshot) =>
        (snapshot.SigningKeys ?? [])
            .Select(static (key, index) => (Key: key, Index: index))
            .Where(item => item.Key.Algorithm == SigningAlgorithms.Hmac && Open(item.Key) is null)
            .Select(static item => new SnapshotProblem($"/signingKeys/{item.Index}/key", "does not open with OpenPlatform:EnvelopeKey of this gateway"));

    /// <param name="snapshot">Valid, and without <see cref="FindProblems"/>.</param>
    public IdentityIndex? Compile(Snapshot snapshot, IReadOnlyDictionary<Guid, ApplicationEntry> applications)
    {
        var (keys, certificates, issuers) = (snapshot.SigningKeys ?? [], snapshot.Certificates ?? [], snapshot.Issuers ?? []);
        _issuerKeys.Follow(issuers);
        if (keys.Count + certificates.Count + issuers.Count == 0)
        {
            return null;
        }

        return new()
        {
            SigningKeys = keys.ToFrozenDictionary(static k => k.KeyId, k => Entry(k, applications[k.ApplicationId]), StringComparer.Ordinal),
            Certificates = certificates.ToFrozenDictionary(
                static c => KeyDigest.Read(c.Thumbprint.Span), c => new CredentialEntry(applications[c.ApplicationId], c.ExpiresAt?.UtcTicks ?? long.MaxValue)),
            Issuers = issuers.ToFrozenDictionary(static i => i.Issuer, i => new IssuerEntry(i, _issuerKeys.Of(i), applications), StringComparer.Ordinal),
            Tokens = new(_rememberedTokens),
            Challenge = CredentialSchemeSet.Challenge(
                CredentialScheme.ApiKey
                | (keys.Any(static k => k.Algorithm == SigningAlgorithms.Hmac) ? CredentialScheme.Hmac : CredentialScheme.None)
                | (keys.Count > 0 ? CredentialScheme.Signature : CredentialScheme.None)),
        };
    }

    public void Dispose()
    {
        foreach (var envelope in _envelopes)
        {
            envelope.Dispose();
        }
    }

    private SigningKeyEntry Entry(SigningKeyModel key, ApplicationEntry application)
    {
        var expires = key.ExpiresAt?.UtcTicks ?? long.MaxValue;
        return key.Algorithm == SigningAlgorithms.Hmac
            ? new(application, expires, key.Algorithm, Open(key), null)
            : new(application, expires, key.Algorithm, null, new VerificationKey(key.Key.ToArray()));
    }

    private byte[]? Open(SigningKeyModel key) =>
        _envelopes.Select(envelope => envelope.Open(key.CredentialId, key.Key.Span)).FirstOrDefault(static secret => secret is not null);

    private static SecretEnvelope Envelope(string name, string value)
    {
        try
        {
            return SecretEnvelope.FromBase64(value);
        }
        catch (FormatException e)
        {
            throw new InvalidOperationException($"{name} {e.Message}", e);
        }
    }
}
