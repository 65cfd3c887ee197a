using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>
/// The same key goes to the same instance on every gateway: weighted rendezvous hashing (Thaler and Ravishankar 1998; weights by
/// Schindelhauer and Schomaker 2005), so that an instance that comes or goes moves its own keys only. With bounded loads (Mirrokni,
/// Thorup and Zadimoghaddam 2018): an instance that has its share and a quarter more passes new requests on to the key's next one.
/// </summary>
internal sealed class ConsistentHashPicker : IPicker
{
    private readonly Candidates _candidates;
    private readonly ulong[] _seeds;
    private readonly double[] _shares;

    /// <param name="maxLoad">Most requests in flight as a multiple of an instance's fair share.</param>
    public ConsistentHashPicker(Candidates candidates, double maxLoad)
    {
        _candidates = candidates;
        _seeds = [.. candidates.Instances.Select(static i => KeyHash64.Of(i.Prefix))]; // the address: the same on every gateway
        var total = candidates.Weights.Sum();
        _shares = [.. candidates.Weights.Select(weight => weight / total * maxLoad)];
    }

    public Instance Pick(in PickContext context)
    {
        var instances = _candidates.Instances;
        var total = 1; // this request
        foreach (var instance in instances)
        {
            total += instance.InFlight;
        }

        var (best, bestCost) = (instances[0], double.MaxValue);
        for (var i = 0; i < instances.Length; i++)
        {
            if (instances[i].InFlight + 1 > Math.Ceiling(_shares[i] * total))
            {
                continue;
            }

            // An exponential variate with rate = weight; the smallest of them is i's with probability weight ÷ total.
            var uniform = ((KeyHash64.Mix(context.Hash ^ _seeds[i]) >> 11) + 1) * (1d / (1UL << 53));
            var cost = -Math.Log(uniform) / _shares[i];
            if (cost < bestCost)
            {
                (best, bestCost) = (instances[i], cost);
            }
        }

        return best;
    }
}
