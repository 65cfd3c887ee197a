using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Observability;

/// <summary>Where access log lines go.</summary>
public enum AccessLogTarget
{
    /// <summary>Nowhere.</summary>
    None,

    /// <summary>The standard output, between the lines of the log.</summary>
    Stdout,

    /// <summary><see cref="ObservabilityOptions.AccessLogFile"/>.</summary>
    File,
}

/// <summary>Settings under <c>OpenPlatform:Gateway:Observability</c>.</summary>
public sealed class ObservabilityOptions : IValidatableObject
{
    public const string Section = "OpenPlatform:Gateway:Observability";

    /// <summary>Default <see cref="AccessLogTarget.Stdout"/>.</summary>
    public AccessLogTarget AccessLog { get; set; } = AccessLogTarget.Stdout;

    /// <summary>Appended to; whoever rotates it copies and truncates. Needed when the target is a file.</summary>
    public string? AccessLogFile { get; set; }

    /// <summary>Share of the requests without a refusal and below 500 that get a line, 0 to 1; all others always do. Default 0.1.</summary>
    [Range(0.0, 1.0)]
    public double AccessLogSample { get; set; } = 0.1;

    /// <summary>One of so many requests is timed step by step for <c>/explain</c>; 0: only refusals are kept,
    /// with what was decided and their time in all. What follows a refusal on a connection of HTTP/1 is timed, too, unless this is 0.
    /// 0 to 1,000,000, default 128.</summary>
    [Range(0, 1_000_000)]
    public int DecisionEvery { get; set; } = 128;

    /// <summary>Requests that <c>/explain</c> remembers. 16 to 65,536, default 1,024.</summary>
    [Range(16, 65_536)]
    public int DecisionsKept { get; set; } = 1024;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        AccessLog == AccessLogTarget.File && string.IsNullOrWhiteSpace(AccessLogFile)
            ? [new("names no file, although the access log goes to one", [nameof(AccessLogFile)])]
            : [];
}

[OptionsValidator]
internal sealed partial class ObservabilityOptionsValidator : IValidateOptions<ObservabilityOptions>;
