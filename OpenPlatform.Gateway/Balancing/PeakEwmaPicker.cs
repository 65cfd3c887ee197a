using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>
/// Of two drawn by weight, the one that promises the shorter wait: its recent latency (<see cref="PeakEwma"/>) times its queue, as
/// Finagle has it. Waits that differ by less than a fifth count as equal, otherwise noise would undo the weights.
/// </summary>
internal sealed class PeakEwmaPicker(Candidates candidates, TimeProvider time) : IPicker
{
    private const double Noticeable = 0.8;

    private readonly WeightedDraw _draw = new(candidates.Weights);
    private readonly double _meanWeight = candidates.Weights.Average();

    public Instance Pick(in PickContext context)
    {
        var (first, second) = _draw.NextTwo();
        var now = time.GetTimestamp();
        return candidates.Instances[Wait(second, now) < Wait(first, now) * Noticeable ? second : first];
    }

    private double Wait(int index, long now)
    {
        var instance = candidates.Instances[index];
        var inFlight = instance.InFlight;
        var latency = instance.Latency.At(now);

        // Never measured: one request finds out, the others go elsewhere meanwhile.
        return latency == 0 ? inFlight == 0 ? 0 : double.MaxValue : latency * ((inFlight * _meanWeight / candidates.Weights[index]) + 1);
    }
}
