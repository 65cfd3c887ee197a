using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Authentication;

/// <summary>Settings under <c>OpenPlatform:Gateway:Authentication</c>.</summary>
public sealed class AuthenticationOptions
{
    public const string Section = "OpenPlatform:Gateway:Authentication";

    /// <summary>How far the time of a signature may be from now, either way. 1 s to 1 h, default 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan SignatureWindow { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Nonces remembered in memory, 40 bytes each; beyond that the oldest are forgotten. 1,000 to 100,000,000, default 500,000.</summary>
    [Range(1_000, 100_000_000)]
    public int RememberedNonces { get; set; } = 500_000;

    /// <summary>Longest wait for Redis's word on a nonce, where the plan asks for it; then memory decides. 1 ms to 5 s, default 50 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:05")]
    public TimeSpan ReplayDeadline { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How far the clock of a token's issuer may differ. 0 to 10 min, default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan TokenClockSkew { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Verified tokens remembered, at most twice as many. 0 to 10,000,000, default 20,000.</summary>
    [Range(0, 10_000_000)]
    public int RememberedTokens { get; set; } = 20_000;

    /// <summary>Wait between two reports of which credentials were used. 100 ms to 1 h, default 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00")]
    public TimeSpan CredentialUsesInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Wait between two fetches of an issuer's keys. 1 s to 1 day, default 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan IssuerKeysInterval { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Least wait between two fetches that unknown key ids ask for. 10 ms to 1 h, default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "01:00:00")]
    public TimeSpan IssuerKeysBackoff { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest fetch of an issuer's keys, and longest wait of a request for it. 10 ms to 1 min, default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:01:00")]
    public TimeSpan IssuerKeysTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>True: Kestrel asks clients for a certificate on its own https endpoints. Default false.</summary>
    public bool ClientCertificates { get; set; }
}

[OptionsValidator]
internal sealed partial class AuthenticationOptionsValidator : IValidateOptions<AuthenticationOptions>;
