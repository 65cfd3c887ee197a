using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Protocols;

/// <summary>Settings under <c>OpenPlatform:Gateway:Drain</c>.</summary>
public sealed class DrainOptions
{
    public const string Section = "OpenPlatform:Gateway:Drain";

    /// <summary>How long the gateway goes on taking requests after it is asked to stop and <c>/health</c> says so: the time that
    /// whoever sends it traffic needs to hear of it. 0 to 5 min, default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:05:00")]
    public TimeSpan PropagationDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long requests in flight may take after that; what is still open then is cut. 0 to 1 h, default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);
}

[OptionsValidator]
internal sealed partial class DrainOptionsValidator : IValidateOptions<DrainOptions>;
