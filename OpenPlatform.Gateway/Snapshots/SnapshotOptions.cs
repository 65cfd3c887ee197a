using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>Settings under <c>OpenPlatform:Gateway:Snapshots</c>.</summary>
public sealed class SnapshotOptions
{
    public const string Section = "OpenPlatform:Gateway:Snapshots";

    /// <summary>Wait between two looks whether the stream is behind, and before a stream that broke is begun again; up to a fifth less by chance. 100 ms to 10 min, default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>A stream that is silent for so long is left; the catalog says something every 5 s. 6 s to 10 min, default 15 s.</summary>
    [Range(typeof(TimeSpan), "00:00:06", "00:10:00")]
    public TimeSpan SilenceTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a fetch, or the beginning of a stream, may take. 100 ms to 10 min, default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan FetchTimeout { get; set; } = TimeSpan.FromSeconds(10);
}

[OptionsValidator]
internal sealed partial class SnapshotOptionsValidator : IValidateOptions<SnapshotOptions>;
