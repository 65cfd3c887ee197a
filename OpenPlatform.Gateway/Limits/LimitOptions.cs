using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Limits;

/// <summary>Settings under <c>OpenPlatform:Gateway:Limits</c>.</summary>
public sealed class LimitOptions
{
    public const string Section = "OpenPlatform:Gateway:Limits";

    /// <summary>Longest wait of a request for tokens from Redis; then this gateway decides alone until Redis answers. 1 ms to 10 s,
    /// default 50 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:10")]
    public TimeSpan LoanDeadline { get; set; } = TimeSpan.FromMilliseconds(50);
}

[OptionsValidator]
internal sealed partial class LimitOptionsValidator : IValidateOptions<LimitOptions>;
