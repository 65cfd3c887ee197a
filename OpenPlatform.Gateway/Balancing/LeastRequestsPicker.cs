using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>Of all, the one with the fewest requests in flight for its weight. Where several are equal, chance decides by weight, but one that takes
/// more than twice as long as another gives way.</summary>
internal sealed class LeastRequestsPicker(Candidates candidates, TimeProvider time) : IPicker
{
    /// <summary>How many others are looked at for being faster.</summary>
    private const int Rivals = 2;

    private readonly WeightedDraw _draw = new(candidates.Weights);

    public Instance Pick(in PickContext context)
    {
        var best = _draw.Next();
        var least = candidates.Load(best);
        var start = Random.Shared.Next(candidates.Count);
        for (var i = 0; i < candidates.Count && least > 0; i++)
        {
            var index = start + i < candidates.Count ? start + i : start + i - candidates.Count;
            var load = candidates.Load(index);
            if (load < least)
            {
                (best, least) = (index, load);
            }
        }

        for (var again = 0; again < Rivals; again++)
        {
            var rival = _draw.Next();
            if (rival != best && candidates.GivesWay(best, rival, time))
            {
                best = rival;
            }
        }

        return candidates.Instances[best];
    }
}
