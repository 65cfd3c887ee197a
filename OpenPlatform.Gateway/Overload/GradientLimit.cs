using System.Diagnostics;

namespace OpenPlatform.Gateway.Overload;

/// <summary>
/// How many requests a backend may have in flight, found out from its latency: as long as it is near the least one known, requests do not
/// queue and the limit may rise; as it grows, the limit falls in proportion (Netflix concurrency-limits, "gradient"; Envoy's adaptive
/// concurrency). limit ← limit × clamp(tolerance × least ÷ mean, ½, 1) + √limit, once a window.
/// </summary>
/// <remarks>
/// The least latency is the least mean of a window, not of a request: one quick error must not look like the speed of the backend. What
/// was measured while requests queued is not it. So one second after the start, and every twenty from then on, the limit is halved
/// as often as that makes the backend faster, and what is measured then counts.
/// </remarks>
internal sealed class GradientLimit(OverloadOptions options)
{
    /// <summary>Long enough for a mean, short enough to act before callers give up.</summary>
    private static readonly long Window = Stopwatch.Frequency / 10;

    private static readonly long FirstProbe = Stopwatch.Frequency;
    private static readonly long ProbeInterval = Stopwatch.Frequency * 20;
    private const int FewestSamples = 10;

    /// <summary>Less than this share of the latency before shows that there was a queue.</summary>
    private const double Faster = 0.85;

    private int _limit = Math.Clamp(options.InitialLimit, options.MinLimit, Math.Max(options.MinLimit, options.MaxLimit));
    private double _least;
    private double _beforeProbe;
    private bool _settling;
    private long _probeAt;
    private long _windowEnd;
    private long _sum;
    private int _count;
    private int _mostInFlight;
    private int _updating;

    /// <summary>Requests in flight.</summary>
    public int Current => Volatile.Read(ref _limit);

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
            if (now >= _windowEnd) // nobody has just done it
            {
                EndWindow(now);
            }

            Volatile.Write(ref _updating, 0);
        }
    }

    private void EndWindow(long now)
    {
        var count = Interlocked.Exchange(ref _count, 0);
        var mean = Math.Max(1, (double)Interlocked.Exchange(ref _sum, 0) / Math.Max(1, count));
        var mostInFlight = Interlocked.Exchange(ref _mostInFlight, 0);
        var isFirst = _windowEnd == 0;
        Volatile.Write(ref _windowEnd, now + Window);
        if (isFirst)
        {
            _probeAt = now + FirstProbe; // the first window of all has connections to make
            return;
        }

        if (_settling)
        {
            _settling = false; // these were admitted under the limit of before
            return;
        }

        if (_beforeProbe > 0)
        {
            EndProbe(mean, now);
            return;
        }

        _least = _least == 0 ? mean : Math.Min(_least, mean);

        // A limit that nobody comes near is neither proved nor disproved by the latency.
        if (mostInFlight < _limit / 2)
        {
            if (now >= _probeAt)
            {
                (_least, _probeAt) = (mean, now + ProbeInterval); // no queue of ours: this is how fast the backend is now
            }
        }
        else if (now >= _probeAt)
        {
            Halve(mean, now);
        }
        else
        {
            Set((_limit * Math.Clamp(options.Tolerance * _least / mean, 0.5, 1)) + Math.Sqrt(_limit));
        }
    }

    private void EndProbe(double mean, long now)
    {
        if (mean < _beforeProbe * Faster && _limit > options.MinLimit)
        {
            Halve(mean, now); // it had a queue; has it still?
            return;
        }

        Set(_limit * 2); // this halving brought nothing
        (_least, _beforeProbe, _probeAt) = (Math.Min(mean, _beforeProbe), 0, now + ProbeInterval);
    }

    private void Halve(double mean, long now)
    {
        (_beforeProbe, _settling) = (mean, true);
        Set(_limit / 2d);
        Volatile.Write(ref _windowEnd, now + Math.Max(Window, (long)mean));
    }

    private void Set(double limit) =>
        Volatile.Write(ref _limit, (int)Math.Clamp(limit, options.MinLimit, Math.Max(options.MinLimit, options.MaxLimit)));
}
