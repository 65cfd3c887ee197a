using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>
/// Stays in the gateway's own zone and spills over where that would hurt: when the local pick is more than twice as busy as a pick among
/// all. Each gateway sees only its own requests in flight, so the spill needs no agreement between gateways.
/// </summary>
internal sealed class ZonePicker(IPicker local, IPicker all) : IPicker
{
    /// <summary>Up to this many requests in flight, at normal weight, nobody is busy.</summary>
    private const double Idle = 1;
    private const double Busier = 2;

    public Instance Pick(in PickContext context)
    {
        var near = local.Pick(context);
        if (near.Load <= Idle)
        {
            return near;
        }

        var far = all.Pick(context);
        return near.Load > Idle + (Busier * far.Load) ? far : near;
    }
}
