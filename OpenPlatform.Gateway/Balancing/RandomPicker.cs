using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>By chance, weighted.</summary>
internal sealed class RandomPicker(Candidates candidates) : IPicker
{
    private readonly WeightedDraw _draw = new(candidates.Weights);

    public Instance Pick(in PickContext context) => candidates.Instances[_draw.Next()];
}
