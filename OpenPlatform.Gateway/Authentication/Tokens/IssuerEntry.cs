using System.Collections.Frozen;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Authentication.Tokens;

/// <summary>An issuer as the request path sees it.</summary>
internal sealed class IssuerEntry(IssuerModel model, IssuerKeySource keys, IReadOnlyDictionary<Guid, ApplicationEntry> applications)
{
    private readonly FrozenDictionary<string, ApplicationEntry>? _byClaim =
        model.Applications?.ToFrozenDictionary(static a => a.Key, a => applications[a.Value], StringComparer.Ordinal);

    public string Issuer { get; } = model.Issuer;

    public string Audience { get; } = model.Audience;

    public string ApplicationClaim { get; } = model.ApplicationClaim ?? "client_id";

    /// <summary>Outlives the snapshot.</summary>
    public IssuerKeySource Keys { get; } = keys;

    public bool Allows(string algorithm) => model.Algorithms.Contains(algorithm);

    /// <summary>The application that the claim names, or null.</summary>
    public ApplicationEntry? Application(string claim) =>
        _byClaim is not null ? _byClaim.GetValueOrDefault(claim)
        : Guid.TryParse(claim, out var id) ? applications.GetValueOrDefault(id)
        : null;
}
