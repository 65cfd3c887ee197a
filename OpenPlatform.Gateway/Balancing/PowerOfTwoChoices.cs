using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>
/// Of two instances chosen by chance, the one with fewer requests in flight for its weight (Mitzenmacher 2001): nearly as even
/// as asking all, without a shared order that every gateway would follow at once.
/// </summary>
internal static class PowerOfTwoChoices
{
    /// <summary>An instance for a new request, or null when there is none. Allocates nothing.</summary>
    /// <param name="ready">The backend's view.</param>
    /// <param name="tried">Instances this request has failed on; each is used again only by a later request.</param>
    /// <param name="now">Milliseconds, monotonic.</param>
    public static Instance? Pick(Instance[] ready, ReadOnlySpan<Instance?> tried, long now)
    {
        if (ready.Length == 0)
        {
            return null;
        }

        var first = Draw(ready, tried, now, null);
        if (first is null)
        {
            return LastResort(ready, tried);
        }

        // An ejected one whose turn to be tried has come is the pick: nobody else will try it.
        if (first.IsEjected)
        {
            return first;
        }

        var second = Draw(ready, tried, now, first);
        return second is not null && (second.IsEjected || Load(second) < Load(first)) ? second : first;
    }

    private static double Load(Instance instance) => (instance.InFlight + 1d) / instance.Weight;

    /// <summary>A random instance that may be tried; walks on from a random place, so that few healthy ones are found too.</summary>
    private static Instance? Draw(Instance[] ready, ReadOnlySpan<Instance?> tried, long now, Instance? not)
    {
        var start = Random.Shared.Next(ready.Length);
        for (var i = 0; i < ready.Length; i++)
        {
            var index = start + i;
            var candidate = ready[index < ready.Length ? index : index - ready.Length];
            if (candidate != not && !tried.Contains(candidate) && candidate.MayTry(now))
            {
                return candidate;
            }
        }

        return null;
    }

    /// <summary>All are ejected: one of them is still a better bet than a certain refusal.</summary>
    private static Instance? LastResort(Instance[] ready, ReadOnlySpan<Instance?> tried)
    {
        var start = Random.Shared.Next(ready.Length);
        for (var i = 0; i < ready.Length; i++)
        {
            var candidate = ready[(start + i) % ready.Length];
            if (!tried.Contains(candidate))
            {
                return candidate;
            }
        }

        return null;
    }
}
