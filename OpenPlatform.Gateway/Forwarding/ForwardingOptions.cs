using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Forwarding;

/// <summary>Settings under <c>OpenPlatform:Gateway:Forwarding</c>.</summary>
public sealed class ForwardingOptions
{
    public const string Section = "OpenPlatform:Gateway:Forwarding";

    /// <summary>Longest time to connect to an instance. 10 ms to 1 min, default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:01:00")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Longest time without any progress, in either direction, before 504. 10 ms to 1 h, default 60 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "01:00:00")]
    public TimeSpan ActivityTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Longest time to the head of an answer where the API says nothing; then the next try, or 504. Up to 1 h, default 0: only <see cref="ActivityTimeout"/>.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan FirstByteTimeout { get; set; }

    /// <summary>Further tries on other instances, for requests that may be repeated. 0 to 2, default 2.</summary>
    [Range(0, 2)]
    public int Retries { get; set; } = 2;

    /// <summary>Request bodies up to this size are kept for a second try, where the method allows one. 0 to 1 MiB, default 64 KiB.</summary>
    [Range(0, 1 << 20)]
    public int MaxReplayBytes { get; set; } = 64 << 10;

    /// <summary>Largest request body in bytes; bodies are streamed, not kept. 0: any. Default 1 GiB.</summary>
    [Range(0, long.MaxValue)]
    public long MaxRequestBodyBytes { get; set; } = 1L << 30;
}

[OptionsValidator]
internal sealed partial class ForwardingOptionsValidator : IValidateOptions<ForwardingOptions>;
