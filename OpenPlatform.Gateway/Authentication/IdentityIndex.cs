using System.Collections.Frozen;
using Microsoft.Extensions.Primitives;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Gateway.Authentication.Tokens;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.ServiceDefaults.Deployment;

namespace OpenPlatform.Gateway.Authentication;

/// <summary>What a snapshot knows of identities beside API keys; a snapshot that knows none has no index.</summary>
internal sealed class IdentityIndex(CredentialSegment[] segments)
{
    public required bool HasCertificates { get; init; }

    /// <summary>By the value of <c>iss</c>.</summary>
    public required FrozenDictionary<string, IssuerEntry> Issuers { get; init; }

    /// <summary>Tokens that were verified under these issuers: with others they are verified again.</summary>
    public required TokenCache Tokens { get; init; }

    /// <summary>What a request without any credential is asked for.</summary>
    public required StringValues Challenge { get; init; }

    public SigningKeyEntry? FindSigningKey(string keyId) => segments[ShardName.SegmentOf(keyId.AsSpan())].SigningKeys.GetValueOrDefault(keyId);

    /// <param name="thumbprint">SHA-256 of the certificate.</param>
    public CredentialEntry? FindCertificate(KeyDigest thumbprint) => segments[thumbprint.Segment].Certificates.GetValueOrDefault(thumbprint);
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

    /// <param name="core">Valid.</param>
    public FrozenDictionary<string, IssuerEntry> CompileIssuers(Snapshot core)
    {
        var issuers = core.Issuers ?? [];
        _issuerKeys.Follow(issuers);
        return issuers.ToFrozenDictionary(static i => i.Issuer, i => new IssuerEntry(i, _issuerKeys.Of(i)), StringComparer.Ordinal);
    }

    /// <param name="part">Valid, and without <see cref="FindProblems"/>.</param>
    /// <param name="previous">What its segment was. Credentials that are as they were stay the same objects: when one of some hundreds changes, the others leave
    /// nothing to collect, and are not noted again as used today.</param>
    public CredentialSegment CompileCredentials(Snapshot part, CredentialSegment previous)
    {
        return new(
            part.Credentials.ToFrozenDictionary(static c => KeyDigest.Read(c.Hash.Span), c => Credential(previous.Keys, KeyDigest.Read(c.Hash.Span), c.CredentialId, c.ApplicationId, c.ExpiresAt)),
            (part.SigningKeys ?? []).ToFrozenDictionary(static k => k.KeyId, Entry, StringComparer.Ordinal),
            (part.Certificates ?? []).ToFrozenDictionary(
                static c => KeyDigest.Read(c.Thumbprint.Span), c => Credential(previous.Certificates, KeyDigest.Read(c.Thumbprint.Span), c.CredentialId, c.ApplicationId, c.ExpiresAt)));

        static CredentialEntry Credential(FrozenDictionary<KeyDigest, CredentialEntry> known, KeyDigest digest, Guid id, Guid applicationId, DateTimeOffset? expiresAt)
        {
            BackgroundThread.GiveWay();
            var expires = expiresAt?.UtcTicks ?? long.MaxValue;
            return known.TryGetValue(digest, out var same) && same.CredentialId == id && same.ApplicationId == applicationId && same.ExpiresAtTicks == expires
                ? same
                : new(id, applicationId, expires);
        }
    }

    /// <param name="previous">Its verified tokens count on as long as the issuers are the same.</param>
    public IdentityIndex? Compile(FrozenDictionary<string, IssuerEntry> issuers, CredentialSegment[] segments, IdentityIndex? previous)
    {
        var (signing, hmac, certificates) = (false, false, false);
        foreach (var segment in segments)
        {
            signing |= segment.SigningKeys.Count > 0;
            hmac |= segment.SigningKeys.Count > 0 && segment.SigningKeys.Values.Any(static key => key.IsHmac);
            certificates |= segment.Certificates.Count > 0;
        }

        return issuers.Count == 0 && !signing && !certificates ? null : new(segments)
        {
            HasCertificates = certificates,
            Issuers = issuers,
            Tokens = previous is not null && ReferenceEquals(previous.Issuers, issuers) ? previous.Tokens : new(_rememberedTokens),
            Challenge = CredentialSchemeSet.Challenge(
                CredentialScheme.ApiKey | (hmac ? CredentialScheme.Hmac : CredentialScheme.None) | (signing ? CredentialScheme.Signature : CredentialScheme.None)),
        };
    }

    public void Dispose()
    {
        foreach (var envelope in _envelopes)
        {
            envelope.Dispose();
        }
    }

    private SigningKeyEntry Entry(SigningKeyModel key)
    {
        var expires = key.ExpiresAt?.UtcTicks ?? long.MaxValue;
        return key.Algorithm == SigningAlgorithms.Hmac
            ? new(key.CredentialId, key.ApplicationId, expires, key.Algorithm, Open(key), null)
            : new(key.CredentialId, key.ApplicationId, expires, key.Algorithm, null, new VerificationKey(key.Key.ToArray()));
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
            throw new StartRefusedException($"{name} {e.Message}", e);
        }
    }
}
