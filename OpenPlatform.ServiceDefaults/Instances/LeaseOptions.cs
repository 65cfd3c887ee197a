using System.ComponentModel.DataAnnotations;
using System.Text;
using Microsoft.Extensions.Options;

namespace OpenPlatform.ServiceDefaults.Instances;

/// <summary>Settings under <c>OpenPlatform:Leases</c>.</summary>
public sealed class LeaseOptions
{
    public const string Section = "OpenPlatform:Leases";

    /// <summary>Own signing key, at least 16 UTF-8 bytes, one per service. Without it no lease is written.</summary>
    public string? Key { get; set; }

    /// <summary>Keys of the services whose leases are read, by registered name. A service without one has no valid lease.</summary>
    public Dictionary<string, string> Keys { get; } = new(StringComparer.Ordinal);

    /// <summary>Where others reach this instance, for example <c>http://10.0.3.7:8080</c>; found out from the bound addresses when null.</summary>
    public Uri? Address { get; set; }

    /// <summary>Failure zone, at most 64 characters of <c>[A-Za-z0-9._-]</c>.</summary>
    public string? Zone { get; set; }

    /// <summary>Share of traffic relative to its peers.</summary>
    [Range(1, 1000)]
    public int Weight { get; set; } = 100;

    /// <summary>Life of a lease without a heartbeat: how long a killed instance is still seen. 2 to 10 s, default 4 s.</summary>
    [Range(typeof(TimeSpan), "00:00:02", "00:00:10")]
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromSeconds(4);

    /// <summary>Time between heartbeats. Less than half of TimeToLive, so that one may be lost. Default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:00:05")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a leaving instance goes on taking requests after it said so: the time its callers need to hear of it.
    /// 0 to 60 s, default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan PropagationDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How far the clocks of two machines may be apart. 0 to 30 s, default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:30")]
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromSeconds(2);
}

[OptionsValidator]
internal sealed partial class LeaseOptionsValidator : IValidateOptions<LeaseOptions>;

/// <summary>The rules between values and those that attributes cannot tell.</summary>
internal sealed class LeaseOptionsRules : IValidateOptions<LeaseOptions>
{
    private const int MinKeyBytes = 16;

    public ValidateOptionsResult Validate(string? name, LeaseOptions options)
    {
        var errors = new ValidateOptionsResultBuilder();
        if (options.Heartbeat * 2 > options.TimeToLive)
        {
            errors.AddError($"{LeaseOptions.Section}:Heartbeat ({options.Heartbeat}) must be at most half of {LeaseOptions.Section}:TimeToLive ({options.TimeToLive}).");
        }

        if (options.Key is { } key && Encoding.UTF8.GetByteCount(key) < MinKeyBytes)
        {
            errors.AddError($"{LeaseOptions.Section}:Key must have at least {MinKeyBytes} bytes.");
        }

        foreach (var (service, serviceKey) in options.Keys)
        {
            if (Encoding.UTF8.GetByteCount(serviceKey) < MinKeyBytes)
            {
                errors.AddError($"{LeaseOptions.Section}:Keys:{service} must have at least {MinKeyBytes} bytes.");
            }
        }

        if (options.Address is { } address && !LeaseText.IsAddress(address))
        {
            errors.AddError($"{LeaseOptions.Section}:Address must be an http or https URL without a path, for example http://10.0.3.7:8080.");
        }

        if (options.Zone is { } zone && !LeaseText.IsZone(zone))
        {
            errors.AddError($"{LeaseOptions.Section}:Zone must be 1 to 64 characters of A-Z a-z 0-9 . _ -");
        }

        return errors.Build();
    }
}
