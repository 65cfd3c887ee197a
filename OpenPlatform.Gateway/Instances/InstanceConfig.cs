namespace OpenPlatform.Gateway.Instances;

/// <summary>Where an instance is known from. When two name the same address, the earlier one here is believed.</summary>
internal enum InstanceSource
{
    /// <summary>The lease registry.</summary>
    Lease,

    /// <summary>A file beside the gateway.</summary>
    File,

    Dns,

    /// <summary>The addresses of the snapshot.</summary>
    Snapshot,

    /// <summary><c>services:&lt;service&gt;:http:&lt;n&gt;</c>; only when all others are silent.</summary>
    Configuration,
}

/// <summary>What a source says about an instance.</summary>
/// <param name="Id">Lease id, or the address when it has none.</param>
/// <param name="Weight">1 to 1000; 100 is normal.</param>
/// <param name="Priority">0 is best; worse ones are used when too few better ones are healthy.</param>
/// <param name="Draining">Finishes what it has and gets nothing new.</param>
internal sealed record InstanceConfig(
    string Id, Uri Address, int Weight = 100, string? Zone = null, int Priority = 0, bool Draining = false, InstanceSource Source = InstanceSource.Lease)
{
    /// <summary>The instance is known by its address alone.</summary>
    public static InstanceConfig At(Uri address, InstanceSource source) => new(address.Authority, address, Source: source);
}
