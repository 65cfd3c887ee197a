using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>Goes through a sequence that was worked out beforehand: a pick is one increment. Every gateway starts somewhere else.</summary>
internal sealed class SequencePicker : IPicker
{
    private readonly Instance[] _sequence;
    private uint _next;

    private SequencePicker(Instance[] sequence)
    {
        _sequence = sequence;
        _next = (uint)Random.Shared.Next(sequence.Length);
    }

    /// <summary>Round robin in rounds: an instance with half the weight takes part in half of them (interleaved weighted round robin).</summary>
    public static SequencePicker RoundRobin(Candidates candidates)
    {
        var turns = Turns(candidates.Weights);
        return new([.. Enumerable.Range(0, turns.Max()).SelectMany(round => candidates.Instances.Where((_, i) => turns[i] > round))]);
    }

    /// <summary>Smooth weighted round robin, as nginx has it: 5:1:1 gives a a b a c a a, never five in a row.</summary>
    public static SequencePicker Smooth(Candidates candidates)
    {
        var turns = Turns(candidates.Weights);
        var credit = new int[turns.Length];
        var sequence = new Instance[turns.Sum()];
        for (var at = 0; at < sequence.Length; at++)
        {
            var best = 0;
            for (var i = 0; i < credit.Length; i++)
            {
                credit[i] += turns[i];
                best = credit[i] > credit[best] ? i : best;
            }

            credit[best] -= sequence.Length;
            sequence[at] = candidates.Instances[best];
        }

        return new(sequence);
    }

    public Instance Pick(in PickContext context) => _sequence[Interlocked.Increment(ref _next) % (uint)_sequence.Length];

    /// <summary>Turns of each in one sequence: weights in hundredths of the largest, reduced; coarser with very many instances, so that
    /// a sequence is worked out in milliseconds.</summary>
    private static int[] Turns(double[] weights)
    {
        var resolution = Math.Clamp(1_000_000 / ((double)weights.Length * weights.Length), 4, 100);
        var largest = weights.Max();
        int[] turns = [.. weights.Select(weight => Math.Max(1, (int)Math.Round(weight / largest * resolution)))];
        var divisor = turns.Aggregate(GreatestCommonDivisor);
        return [.. turns.Select(turn => turn / divisor)];
    }

    private static int GreatestCommonDivisor(int a, int b) => b == 0 ? a : GreatestCommonDivisor(b, a % b);
}
