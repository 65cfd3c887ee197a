using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Degradation;

/// <summary>Settings under <c>OpenPlatform:Gateway:Cache</c>.</summary>
public sealed class CacheOptions
{
    public const string Section = "OpenPlatform:Gateway:Cache";

    /// <summary>Memory for the kept answers of all APIs together; the least used make room. 0 to 64 GiB, default 64 MiB.</summary>
    [Range(0, 64L << 30)]
    public long MaxBytes { get; set; } = 64 << 20;
}

[OptionsValidator]
internal sealed partial class CacheOptionsValidator : IValidateOptions<CacheOptions>;
