namespace OpenPlatform.Gateway.Limits;

/// <summary>
/// GCRA (ITU-T I.371) in one number: the theoretical arrival time, in µs. A bucket of (share of) <c>requests</c> that refills over
/// the window. Lock-free.
/// </summary>
internal struct LocalBucket
{
    private long _arrival;

    /// <summary>Takes one request of a bucket in which one costs <paramref name="interval"/> µs and that refills in
    /// <paramref name="window"/> µs; otherwise says in how many µs it could.</summary>
    public bool TryTake(long now, double interval, long window, out long wait)
    {
        // A share of less than one request must still let one through now and then.
        var tolerance = Math.Max(window, (long)Math.Ceiling(interval));
        while (true)
        {
            var seen = Volatile.Read(ref _arrival);
            var arrival = Math.Max(seen, now) + interval;

            // Half a microsecond of rounding per request must not cost the last request of the bucket.
            wait = (long)Math.Ceiling(arrival - now - tolerance - Math.Min(interval / 100, 1000));
            if (wait > 0)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _arrival, (long)Math.Round(arrival), seen) == seen)
            {
                wait = 0;
                return true;
            }
        }
    }

    /// <summary>Counts one request that was allowed elsewhere; never fills beyond the brim.</summary>
    public void Charge(long now, double interval, long window)
    {
        while (true)
        {
            var seen = Volatile.Read(ref _arrival);
            var arrival = Math.Min(Math.Max(seen, now) + interval, now + Math.Max(window, interval));
            if (Interlocked.CompareExchange(ref _arrival, (long)Math.Round(arrival), seen) == seen)
            {
                return;
            }
        }
    }

    /// <summary>Takes a charge back.</summary>
    public void Refund(double interval) => Interlocked.Add(ref _arrival, -(long)Math.Round(interval));

    /// <summary>µs until the bucket is full again.</summary>
    public readonly long Level(long now) => Math.Max(0, Volatile.Read(in _arrival) - now);
}
