using System.ComponentModel.DataAnnotations;

namespace OpenPlatform.Catalog.Webhooks;

/// <summary>How events leave.</summary>
internal sealed class WebhookOptions
{
    public const string Section = "OpenPlatform:Webhooks";

    /// <summary>False: this catalog sends nothing; another one must.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>CloudEvents <c>source</c>: which deployment speaks.</summary>
    public string Source { get; set; } = "urn:openplatform:catalog";

    /// <summary>True: webhooks may be plain http. Always so in Development.</summary>
    public bool AllowHttp { get; set; }

    /// <summary>Networks that webhooks may reach although they are not public: CIDR ranges, separated by commas. In Development: all.</summary>
    public string AllowedNetworks { get; set; } = "";

    /// <summary>Longest try, from the connection to the head of the answer.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Tries before a delivery is dead, 1 to 50.</summary>
    [Range(1, 50)]
    public int MaxAttempts { get; set; } = 12;

    /// <summary>Wait after the first failed try, before it is spread; trebled by each further one.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan FirstBackoff { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest wait between two tries, before it is spread by a fifth to either side.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "2.00:00:00")]
    public TimeSpan LongestBackoff { get; set; } = TimeSpan.FromHours(12);

    /// <summary>Deliveries at once to one webhook, of different subjects, 1 to 64. Webhooks do not share them.</summary>
    [Range(1, 64)]
    public int Concurrency { get; set; } = 4;

    /// <summary>Longest wait until new events are noticed when Postgres does not say so.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long events and their deliveries stay; pending ones stay anyway.</summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "3650.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(30);
}
