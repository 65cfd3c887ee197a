using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>Chooses among the instances it was made for. Made anew whenever one of them or a weight changes; a pick locks and allocates nothing.</summary>
internal interface IPicker
{
    Instance Pick(in PickContext context);
}

/// <summary>The instances of a picker, at least one, and their effective weights, all above 0.</summary>
internal sealed class Candidates(Instance[] instances, double[] weights)
{
    public Instance[] Instances { get; } = instances;

    public double[] Weights { get; } = weights;

    public int Count => Instances.Length;

    /// <summary>Requests in flight of one instance for its weight: 100 is normal.</summary>
    public double Load(int index) => Instances[index].InFlight * 100 / Weights[index];
}

internal static class Pickers
{
    public static IPicker Create(BalancingPolicy policy, Candidates candidates, TimeProvider time) => candidates.Count == 1
        ? new OnlyPicker(candidates.Instances[0])
        : policy.Algorithm switch
        {
            BalancingAlgorithm.Random => new RandomPicker(candidates),
            BalancingAlgorithm.RoundRobin => SequencePicker.RoundRobin(candidates),
            BalancingAlgorithm.SmoothRoundRobin => SequencePicker.Smooth(candidates),
            BalancingAlgorithm.LeastRequests => new LeastRequestsPicker(candidates),
            BalancingAlgorithm.PeakEwma => new PeakEwmaPicker(candidates, time),
            BalancingAlgorithm.ConsistentHash => new ConsistentHashPicker(candidates, policy.MaxLoad),
            _ => new PowerOfTwoPicker(candidates),
        };

    private sealed class OnlyPicker(Instance only) : IPicker
    {
        public Instance Pick(in PickContext context) => only;
    }
}
