using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.HealthChecks;

/// <summary>When an instance is probed next, and how its last probes ended. Changed under the lock of the backend; times are milliseconds.</summary>
internal sealed class ProbeSchedule
{
    /// <summary>Requests in flight and none that ends for this long: the instance is asked whether it lives.</summary>
    private const long StallMs = 500;
    private const long MaxStallMs = 8_000;

    private long _next;
    private long _endedBefore = -1;
    private long _stalledSince;
    private long _stallPatience = StallMs;

    public bool UnderWay { get; set; }

    public int HealthyInARow { get; private set; }

    public int UnhealthyInARow { get; private set; }

    /// <summary>A request timed out or broke off: ask at once.</summary>
    public bool IsSuspect { get; set; }

    /// <summary>The first probe of an instance that was there from the beginning, some time within the first interval.</summary>
    public void Spread(ActiveHealth active, long now) => _next = now + Random.Shared.Next(active.IntervalMs);

    public bool IsDue(long now) => now >= _next;

    /// <summary>Sets the next probe a tenth earlier or later than the interval, so that gateways do not probe in step.</summary>
    public void Done(bool healthy, ActiveHealth? active, long now)
    {
        (HealthyInARow, UnhealthyInARow) = healthy ? (HealthyInARow + 1, 0) : (0, UnhealthyInARow + 1);
        if (active is not null)
        {
            _next = now + (long)(active.IntervalMs * (0.9 + (Random.Shared.NextDouble() * 0.2)));
        }
    }

    /// <summary>True when requests are in flight and none has ended for a while; for a longer while each time the instance proved alive.</summary>
    public bool IsStalled(long ended, int inFlight, long now)
    {
        if (inFlight == 0 || ended != _endedBefore)
        {
            _endedBefore = ended;
            _stalledSince = now;
            _stallPatience = StallMs;
            return false;
        }

        return now - _stalledSince >= _stallPatience;
    }

    /// <summary>It lives; what takes long may take long.</summary>
    public void Alive(long now)
    {
        IsSuspect = false;
        _stalledSince = now;
        _stallPatience = Math.Min(_stallPatience * 2, MaxStallMs);
    }
}
