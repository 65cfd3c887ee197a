using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Resilience;

/// <summary>What the breaker says to a request.</summary>
internal enum BreakerDecision
{
    /// <summary>It is open: do not ask the backend.</summary>
    Refused,

    /// <summary>It is closed.</summary>
    Allowed,

    /// <summary>It is open, and this request is the one that finds out whether the backend is back.</summary>
    Probe,
}

/// <summary>
/// Opens when too large a share of the requests of the last seconds failed; then lets one request through at a time until one succeeds.
/// No lock: counts are kept in slices of the window, each a single word.
/// </summary>
internal sealed class CircuitBreaker(BreakerPolicy policy)
{
    private const int Slices = 8;
    private const int CountBits = 20;
    private const long MostCount = (1 << CountBits) - 1;

    /// <summary>Each: number of the slice (24 bits), failures (20), requests (20).</summary>
    private readonly long[] _slices = new long[Slices];

    private readonly long _sliceMilliseconds = Math.Max(1, policy.WindowSeconds * 1000L / Slices);

    /// <summary>0: closed. Otherwise the time of the next probe, in milliseconds.</summary>
    private long _probeAt;

    public bool IsOpen => Volatile.Read(ref _probeAt) != 0;

    /// <param name="now">Milliseconds, monotonic, greater than 0.</param>
    public BreakerDecision TryEnter(long now)
    {
        var probeAt = Volatile.Read(ref _probeAt);
        if (probeAt == 0)
        {
            return BreakerDecision.Allowed;
        }

        // Who moves the time of the next probe on is this one's probe.
        return now >= probeAt && Interlocked.CompareExchange(ref _probeAt, now + (policy.OpenSeconds * 1000L), probeAt) == probeAt
            ? BreakerDecision.Probe
            : BreakerDecision.Refused;
    }

    /// <summary>How a request that was let through ended.</summary>
    /// <param name="success">Null: the client left, which says nothing.</param>
    /// <returns>True when this opened it or closed it.</returns>
    public bool Leave(BreakerDecision decision, bool? success, long now)
    {
        if (decision == BreakerDecision.Probe)
        {
            if (success == true)
            {
                Array.Clear(_slices); // what was before is over
                return Interlocked.Exchange(ref _probeAt, 0) != 0;
            }

            Volatile.Write(ref _probeAt, success is null ? now : now + (policy.OpenSeconds * 1000L));
            return false;
        }

        if (success is null || IsOpen)
        {
            return false; // answers of before it opened neither prolong nor shorten it
        }

        Count(success.Value, now);
        return !success.Value && IsTooMuch(now) && Interlocked.CompareExchange(ref _probeAt, now + (policy.OpenSeconds * 1000L), 0) == 0;
    }

    private void Count(bool success, long now)
    {
        var number = now / _sliceMilliseconds;
        ref var slice = ref _slices[number % Slices];
        var tag = (number & 0xFFFFFF) << (2 * CountBits);
        long seen, next;
        do
        {
            seen = Volatile.Read(ref slice);
            var counts = (seen & (0xFFFFFFL << (2 * CountBits))) == tag ? seen : tag;
            next = (counts & MostCount) == MostCount ? counts : counts + 1 + (success ? 0 : 1L << CountBits);
        }
        while (Interlocked.CompareExchange(ref slice, next, seen) != seen);
    }

    private bool IsTooMuch(long now)
    {
        var number = now / _sliceMilliseconds;
        long requests = 0, failures = 0;
        foreach (ref var slice in _slices.AsSpan())
        {
            var seen = Volatile.Read(ref slice);
            if (((number - (seen >> (2 * CountBits))) & 0xFFFFFF) < Slices)
            {
                requests += seen & MostCount;
                failures += (seen >> CountBits) & MostCount;
            }
        }

        return requests >= policy.MinimumRequests && failures * 100 >= requests * policy.FailurePercent;
    }
}
