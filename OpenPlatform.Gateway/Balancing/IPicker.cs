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
    private const double Much = 2;
    private const double HardlyBusy = 200;

    public Instance[] Instances { get; } = instances;

    public double[] Weights { get; } = weights;

    public int Count => Instances.Length;

    /// <summary>Requests in flight of one instance for its weight: 100 is normal.</summary>
    public double Load(int index) => Instances[index].InFlight * 100 / Weights[index];

    /// <summary>
    /// True when the idle one lately took more than twice as long to answer as the other one, which is hardly busy: who is idle because it is avoided
    /// must not win for being idle. Two slow answers of three are no chance and not the first on a new connection: weights hold where nobody is slow.
    /// It is tried again every few seconds.
    /// </summary>
    public bool GivesWay(int idle, int other, TimeProvider time)
    {
        var (slow, fast) = (Instances[idle].Latency, Instances[other].Latency);
        return fast.Latest > 0 && slow.MedianOfThree > Much * fast.Latest && Instances[idle].InFlight == 0 && Load(other) <= HardlyBusy
            && time.GetTimestamp() is var now && slow.IsFresh(now) && slow.At(now) > Much * fast.At(now);
    }
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
            BalancingAlgorithm.LeastRequests => new LeastRequestsPicker(candidates, time),
            BalancingAlgorithm.PeakEwma => new PeakEwmaPicker(candidates, time),
            BalancingAlgorithm.ConsistentHash => new ConsistentHashPicker(candidates, policy.MaxLoad),
            _ => new PowerOfTwoPicker(candidates, time),
        };

    private sealed class OnlyPicker(Instance only) : IPicker
    {
        public Instance Pick(in PickContext context) => only;
    }
}
