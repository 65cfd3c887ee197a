using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>
/// Of two drawn by weight, the one with fewer requests in flight for its weight (Mitzenmacher 2001): nearly as even as asking
/// all, without a shared order that every gateway would follow at once. Where hardly anybody is busy, one that takes more than twice as long as the
/// other gives way.
/// </summary>
internal sealed class PowerOfTwoPicker(Candidates candidates, TimeProvider time) : IPicker
{
    private readonly WeightedDraw _draw = new(candidates.Weights);

    public Instance Pick(in PickContext context)
    {
        var (first, second) = _draw.NextTwo();
        var (chosen, other) = candidates.Load(second) < candidates.Load(first) ? (second, first) : (first, second);
        return candidates.Instances[candidates.GivesWay(chosen, other, time) ? other : chosen];
    }
}
