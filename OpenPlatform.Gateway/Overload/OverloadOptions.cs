using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Overload;

/// <summary>Settings under <c>OpenPlatform:Gateway:Overload</c>.</summary>
public sealed class OverloadOptions
{
    public const string Section = "OpenPlatform:Gateway:Overload";

    /// <summary>False: nothing is shed. Default true.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>The limit never falls below so many requests in flight to a backend. 1 to 100,000, default 32.</summary>
    [Range(1, 100_000)]
    public int MinLimit { get; set; } = 32;

    /// <summary>The limit a backend starts with. 1 to 100,000, default 512.</summary>
    [Range(1, 100_000)]
    public int InitialLimit { get; set; } = 512;

    /// <summary>The limit never rises above. 1 to 100,000, default 10,000.</summary>
    [Range(1, 100_000)]
    public int MaxLimit { get; set; } = 10_000;

    /// <summary>How many times the least latency is still no queue. 1.1 to 10, default 1.5.</summary>
    [Range(1.1, 10)]
    public double Tolerance { get; set; } = 1.5;
}

[OptionsValidator]
internal sealed partial class OverloadOptionsValidator : IValidateOptions<OverloadOptions>;
