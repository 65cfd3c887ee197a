using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Warmup;

/// <summary>Settings under <c>OpenPlatform:Gateway:Warmup</c>.</summary>
public sealed class WarmupOptions
{
    public const string Section = "OpenPlatform:Gateway:Warmup";

    /// <summary>Requests that a gateway makes to itself before it listens; 0: none. 0 to 100,000, default 3,000.</summary>
    [Range(0, 100_000)]
    public int Requests { get; set; } = 3000;

    /// <summary>Longest time for them. 100 ms to 60 s, default 4 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan Limit { get; set; } = TimeSpan.FromSeconds(4);
}

[OptionsValidator]
internal sealed partial class WarmupOptionsValidator : IValidateOptions<WarmupOptions>;
