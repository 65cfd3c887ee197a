using System.Collections.Frozen;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Authentication.Tokens;

/// <summary>An issuer as the request path sees it.</summary>
internal sealed class IssuerEntry(IssuerModel model, IssuerKeySource keys)
{
    private readonly FrozenDictionary<string, Guid>? _byClaim =
        model.Applications?.ToFrozenDictionary(StringComparer.Ordinal);

    private readonly FrozenSet<string>? _revoked = model.Revoked?.Select(static id => id.ToString()).ToFrozenSet(StringComparer.Ordinal);

    private readonly FrozenDictionary<string, long>? _ending =
        model.Ending?.ToFrozenDictionary(static end => end.Key.ToString(), static end => end.Value.UtcTicks, StringComparer.Ordinal);

    public string Issuer { get; } = model.Issuer;

    public string Audience { get; } = model.Audience;

    public string ApplicationClaim { get; } = model.ApplicationClaim ?? "client_id";

    /// <summary>Outlives the snapshot.</summary>
    public IssuerKeySource Keys { get; } = keys;

    public bool Allows(string algorithm) => model.Algorithms.Contains(algorithm);

    /// <summary>True when the issuer took back the token with this id, or all that were got with this credential.</summary>
    public bool IsRevoked(string? tokenOrCredential) => tokenOrCredential is not null && _revoked?.Contains(tokenOrCredential) == true;

    /// <summary>UTC ticks of the first instant at which tokens that were got with this credential count no more; the end of time when nothing is said of it.</summary>
    public long EndOf(string? credential) => credential is not null && _ending is not null && _ending.TryGetValue(credential, out var end) ? end : long.MaxValue;

    /// <summary>The application that the claim names, or null.</summary>
    public Guid? Application(string claim) =>
        _byClaim is not null ? (_byClaim.TryGetValue(claim, out var named) ? named : null)
        : Guid.TryParse(claim, out var id) ? id
        : null;
}
