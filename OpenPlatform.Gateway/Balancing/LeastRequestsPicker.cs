using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>Of all, the one with the fewest requests in flight for its weight. Where several are equal, chance decides by weight.</summary>
internal sealed class LeastRequestsPicker(Candidates candidates) : IPicker
{
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

        return candidates.Instances[best];
    }
}
