using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>Settings under <c>OpenPlatform:Gateway:Snapshots</c>.</summary>
public sealed class SnapshotOptions
{
    public const string Section = "OpenPlatform:Gateway:Snapshots";

    /// <summary>Wait between two polls of the catalog when nothing pokes; up to a fifth less by chance. 100 ms to 10 min, default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long one fetch may take. 100 ms to 10 min, default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan FetchTimeout { get; set; } = TimeSpan.FromSeconds(10);
}

[OptionsValidator]
internal sealed partial class SnapshotOptionsValidator : IValidateOptions<SnapshotOptions>;
