namespace OpenPlatform.Gateway.Instances;

/// <summary>How many gateways share the traffic, by their leases; the last known number while the registry is away.</summary>
internal sealed class GatewayCount
{
    private int _live = 1;

    /// <summary>At least 1: this one.</summary>
    public int Live
    {
        get => Volatile.Read(ref _live);
        set => Volatile.Write(ref _live, Math.Max(1, value));
    }
}
