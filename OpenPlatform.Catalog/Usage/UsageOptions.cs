using System.ComponentModel.DataAnnotations;

namespace OpenPlatform.Catalog.Usage;

/// <summary>How long usage is kept and how often it is summed.</summary>
internal sealed class UsageOptions
{
    public const string Section = "OpenPlatform:Usage";

    /// <summary>How long single items stay, by whole months; at least 31 days. Sums by hour and batches stay for good.</summary>
    [Range(typeof(TimeSpan), "31.00:00:00", "36500.00:00:00")]
    public TimeSpan ItemsRetention { get; set; } = TimeSpan.FromDays(400);

    /// <summary>Months whose partitions are made ahead, 1 to 24.</summary>
    [Range(1, 24)]
    public int MonthsAhead { get; set; } = 3;

    /// <summary>Wait between two roll-ups.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan RollUpInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Wait between two reconciliations of what changed. Everything is compared once a day.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan ReconcileInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>False: differences are reported and left alone.</summary>
    public bool Repair { get; set; } = true;
}
