using System.ComponentModel.DataAnnotations;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Credentials;

/// <param name="Type"><c>api-key</c> when absent.</param>
/// <param name="Name">1 to 200 characters; <c>default</c> when absent.</param>
/// <param name="ExpiresAt">In the future; absent: does not expire. A certificate ends with its own validity at the latest.</param>
/// <param name="KeyId">What signed requests name it by: 1 to 128 letters, digits, <c>.</c>, <c>_</c>, <c>-</c>, unique; absent: one is made.</param>
/// <param name="PublicKey">For <c>public-key</c> and <c>client-key</c>: P-256 or RSA of at least 2048 bits, PEM.</param>
/// <param name="Jwk">The same as a JSON web key; one of the two.</param>
/// <param name="Certificate">For <c>certificate</c>: the certificate, PEM.</param>
public sealed record CredentialRequest(
    [property: Required] Guid? ApplicationId, CredentialType Type = CredentialType.ApiKey, string? Name = null, DateTimeOffset? ExpiresAt = null,
    string? KeyId = null, string? PublicKey = null, JwkRequest? Jwk = null, string? Certificate = null)
{
    public const string DefaultName = "default";

    /// <summary>What is to be stored, and what is shown once; or everything that is wrong.</summary>
    internal Outcome<NewCredential> Make(Guid id, DateTimeOffset now, ReadOnlySpan<byte> pepper, Envelopes envelopes)
    {
        var check = Check(now);
        var material = CredentialMaterial.Make(id, now, this, pepper, envelopes, check);
        return check.Problem is { } problem ? problem : Of(id, material!);
    }

    /// <summary>The same with an API key that somebody brings.</summary>
    internal Outcome<NewCredential> Make(Guid id, DateTimeOffset now, ReadOnlySpan<byte> pepper, string key)
    {
        var check = Check(now);
        var material = CredentialMaterial.OfKey(key, pepper, check);
        return check.Problem is { } problem ? problem : Of(id, material!);
    }

    private RequestCheck Check(DateTimeOffset now)
    {
        var check = new RequestCheck();
        check.Id("/applicationId", ApplicationId);
        check.DisplayName("/name", Name ?? DefaultName);
        if (ExpiresAt <= now)
        {
            check.Add("/expiresAt", "must be in the future");
        }

        return check;
    }

    private NewCredential Of(Guid id, CredentialMaterial material)
    {
        var ends = ExpiresAt?.ToUniversalTime();
        return new(id, ApplicationId!.Value, Type, Name ?? DefaultName, material, ends is null || ends > material.EndsAt ? material.EndsAt ?? ends : ends);
    }
}

/// <param name="OverlapSeconds">How long the old one still counts, 0 to 2,592,000 s (30 days); a day when absent.</param>
/// <param name="ExpiresAt">When the new one ends; absent: it lives as long as the old one was given.</param>
/// <param name="KeyId">As at creation.</param>
/// <param name="PublicKey">The new public key of a <c>public-key</c> or <c>client-key</c>, PEM.</param>
/// <param name="Jwk">The same as a JSON web key.</param>
/// <param name="Certificate">The new certificate, PEM.</param>
public sealed record RotationRequest(
    int? OverlapSeconds = null, DateTimeOffset? ExpiresAt = null, string? KeyId = null, string? PublicKey = null, JwkRequest? Jwk = null, string? Certificate = null)
{
    private const int Day = 86_400;
    private const int LongestOverlap = 30 * Day;

    internal TimeSpan Overlap => TimeSpan.FromSeconds(OverlapSeconds ?? Day);

    internal CatalogProblem? Check() => OverlapSeconds is < 0 or > LongestOverlap
        ? CatalogProblem.Invalid(new ProblemError("/overlapSeconds", $"must be 0 to {LongestOverlap}"))
        : null;

    /// <summary>The request for the credential that takes the place of <paramref name="old"/>.</summary>
    internal CredentialRequest Next(Credential old, DateTimeOffset now) => new(
        old.ApplicationId, old.Type, old.Name, ExpiresAt ?? (old.ExpiresAt is { } ends && old.Type != CredentialType.Certificate ? Later(now, ends - old.CreatedAt) : null),
        KeyId, PublicKey, Jwk, Certificate);

    /// <summary>People write the year 9999 for never: there time ends.</summary>
    private static DateTimeOffset Later(DateTimeOffset now, TimeSpan lifetime) => DateTimeOffset.MaxValue - now > lifetime ? now + lifetime : LastMoment;

    // Postgres keeps microseconds.
    private static readonly DateTimeOffset LastMoment = DateTimeOffset.MaxValue - TimeSpan.FromTicks(TimeSpan.TicksPerMicrosecond - 1);
}

/// <summary>A checked credential that is about to be stored.</summary>
internal sealed record NewCredential(Guid Id, Guid ApplicationId, CredentialType Type, string Name, CredentialMaterial Material, DateTimeOffset? ExpiresAt)
{
    // The generated text would print the secret.
    public override string ToString() => $"new {Type} {Id}";
}
