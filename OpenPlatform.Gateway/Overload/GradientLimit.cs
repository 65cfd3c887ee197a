using System.Diagnostics;

namespace OpenPlatform.Gateway.Overload;

/// <summary>
/// How many requests a backend may have in flight, found out from its latency: as long as it is near the least one seen, requests do not
/// queue and the limit may rise; as it grows, the limit falls in proportion (Netflix concurrency-limits, "gradient"; Envoy's adaptive
/// concurrency). limit ← limit × clamp(tolerance × least ÷ mean, ½, 1) + √limit, once a window.
/// </summary>
/// <remarks>
/// The least latency is the least mean of a window, not of a request: one quick error must not look like the speed of the backend. It is
/// forgotten after <see cref="LeastAge"/>, because a backend may have become slower for good; if requests queue at that moment, the limit is
/// halved for one window, so that what is learned anew is not the queue.
/// </remarks>
internal sealed class GradientLimit(OverloadOptions options)
{
    /// <summary>Long enough for a mean, short enough to act before callers give up.</summary>
    private static readonly long Window = Stopwatch.Frequency / 10;

    private static readonly long LeastAge = Stopwatch.Frequency * 20;
    private const int FewestSamples = 10;

    private double _limit = Math.Clamp(options.InitialLimit, options.MinLimit, Math.Max(options.MinLimit, options.MaxLimit));
    private int _whole = Math.Clamp(options.InitialLimit, options.MinLimit, Math.Max(options.MinLimit, options.MaxLimit));
    private double _least;
    private long _leastUntil;
    private bool _draining;
    private long _windowEnd;
    private long _sum;
    private int _count;
    private int _mostInFlight;
    private int _updating;

    /// <summary>Requests in flight.</summary>
    public int Current => Volatile.Read(ref _whole);

    /// <summary>One answer. Ends the window when it is over: one caller in thousands does the arithmetic, nobody waits.</summary>
    /// <param name="latency">Until the head of the answer, in <see cref="Stopwatch"/> ticks.</param>
    /// <param name="inFlight">When it was admitted.</param>
    /// <param name="now">In <see cref="Stopwatch"/> ticks.</param>
    public void Sample(long latency, int inFlight, long now)
    {
        Interlocked.Add(ref _sum, latency);
        Interlocked.Increment(ref _count);
        if (inFlight > Volatile.Read(ref _mostInFlight))
        {
            Volatile.Write(ref _mostInFlight, inFlight);
        }

        if (now >= Volatile.Read(ref _windowEnd) && Volatile.Read(ref _count) >= FewestSamples && Interlocked.Exchange(ref _updating, 1) == 0)
        {
            Update(now);
            Volatile.Write(ref _updating, 0);
        }
    }

    private void Update(long now)
    {
        if (now < _windowEnd)
        {
            return; // another one has just done it
        }

        var count = Interlocked.Exchange(ref _count, 0);
        var sum = Interlocked.Exchange(ref _sum, 0);
        var mostInFlight = Interlocked.Exchange(ref _mostInFlight, 0);
        var began = _windowEnd;
        _windowEnd = now + Window;
        if (count < FewestSamples || began == 0)
        {
            return; // the first window of all has connections to make
        }

        var mean = Math.Max(1, (double)sum / count);
        if (_draining || _least == 0 || mean <= _least)
        {
            (_least, _leastUntil, _draining) = (mean, now + LeastAge, false);
        }
        else if (now >= _leastUntil)
        {
            if (mean <= _least * 1.1)
            {
                _leastUntil = now + LeastAge;
            }
            else
            {
                _draining = true;
                Set(_limit / 2);
                return;
            }
        }

        // A limit that nobody comes near says nothing: it is neither proved nor disproved by the latency.
        if (mostInFlight < _limit / 2)
        {
            return;
        }

        Set((_limit * Math.Clamp(options.Tolerance * _least / mean, 0.5, 1)) + Math.Sqrt(_limit));
    }

    private void Set(double limit)
    {
        _limit = Math.Clamp(limit, options.MinLimit, Math.Max(options.MinLimit, options.MaxLimit));
        Volatile.Write(ref _whole, (int)_limit);
    }
}
