namespace OpenPlatform.Gateway.Limits;

/// <summary>
/// GCRA (ITU-T I.371) in one number: the theoretical arrival time, in ns, because a thousand million requests a second are 1 ns
/// apart. A bucket of (this gateway's share of) a limit that refills over the window. Lock-free. Arguments are µs.
/// </summary>
internal struct LocalBucket
{
    private const long Nanoseconds = 1000;

    private long _arrival;

    /// <summary>Takes one request, which costs <paramref name="interval"/> µs; otherwise says in how many µs it could.</summary>
    public bool TryTake(long now, double interval, long window, out long wait)
    {
        var cost = Cost(interval);
        var present = now * Nanoseconds;

        // A share of less than one request must still let one through now and then. And the rounding of the cost must not take
        // the last request of the bucket: a hundredth of one, at most 10 ms
        // (which also forgives a caller whose timer fires early).
        var tolerance = Math.Max(window * Nanoseconds, cost) + Math.Min(cost / 100, 10_000_000);
        while (true)
        {
            var seen = Volatile.Read(ref _arrival);
            var arrival = Math.Max(seen, present) + cost;
            var early = arrival - present - tolerance;
            if (early > 0)
            {
                wait = (early + Nanoseconds - 1) / Nanoseconds;
                return false;
            }

            if (Interlocked.CompareExchange(ref _arrival, arrival, seen) == seen)
            {
                wait = 0;
                return true;
            }
        }
    }

    /// <summary>Counts one request that was allowed elsewhere; never fills beyond the brim.</summary>
    public void Charge(long now, double interval, long window)
    {
        var cost = Cost(interval);
        var present = now * Nanoseconds;
        while (true)
        {
            var seen = Volatile.Read(ref _arrival);
            var arrival = Math.Min(Math.Max(seen, present) + cost, present + Math.Max(window * Nanoseconds, cost));
            if (Interlocked.CompareExchange(ref _arrival, arrival, seen) == seen)
            {
                return;
            }
        }
    }

    /// <summary>µs until one request could be taken.</summary>
    public readonly long Wait(long now, double interval, long window) =>
        Math.Max(0, ((Math.Max(Volatile.Read(in _arrival), now * Nanoseconds) + Cost(interval)) / Nanoseconds) - now - Math.Max(window, (long)interval));

    /// <summary>Fills until it is full again no earlier than <paramref name="full"/> (µs).</summary>
    public void AtLeast(long full)
    {
        for (var seen = Volatile.Read(ref _arrival); seen < full * Nanoseconds;)
        {
            var now = Interlocked.CompareExchange(ref _arrival, full * Nanoseconds, seen);
            seen = now == seen ? long.MaxValue : now;
        }
    }

    /// <summary>From now on it is full again at this time (µs), whatever it held.</summary>
    public void Restart(long full) => Volatile.Write(ref _arrival, full * Nanoseconds);

    /// <summary>Takes a charge back.</summary>
    public void Refund(double interval) => Interlocked.Add(ref _arrival, -Cost(interval));

    /// <summary>µs until the bucket is full again.</summary>
    public readonly long Level(long now) => Math.Max(0, (Volatile.Read(in _arrival) / Nanoseconds) - now);

    private static long Cost(double interval) => Math.Max(1, (long)Math.Round(interval * Nanoseconds));
}
