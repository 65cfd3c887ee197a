using System.ComponentModel.DataAnnotations;

namespace OpenPlatform.Catalog.Jobs;

/// <summary>How leader-only work is done.</summary>
internal sealed class JobOptions
{
    public const string Section = "OpenPlatform:Jobs";

    /// <summary>False: this catalog never leads; another one must.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>How long a holder that says nothing keeps the lease: so long leader-only work may stand still after a kill. 1 s to 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(15);
}
