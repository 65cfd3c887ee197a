namespace OpenPlatform.Gateway.Balancing;

/// <summary>
/// A moving mean of latencies that jumps up to a peak at once and comes down over ten seconds, also when nothing is measured: an
/// instance that was slow is tried again in time. What is measured after five seconds without any is all that counts: it may have been frozen
/// and is well again. Two writers at once may lose one measurement, which a mean does not mind.
/// </summary>
internal sealed class PeakEwma(TimeProvider time)
{
    private readonly double _decayTicks = 10d * time.TimestampFrequency;
    private readonly long _forgetTicks = 5 * time.TimestampFrequency;
    private double _mean;
    private long _stamp;
    private long _last;
    private long _secondLast;
    private long _thirdLast;

    /// <param name="latency">In ticks of the clock's timestamps.</param>
    /// <param name="now">A timestamp of the clock.</param>
    public void Observe(long latency, long now)
    {
        var mean = Volatile.Read(ref _mean);
        if (latency >= mean || !IsFresh(now))
        {
            mean = latency;
        }
        else
        {
            var old = Old(now);
            mean = (mean * old) + (latency * (1 - old));
        }

        Volatile.Write(ref _mean, mean);
        Volatile.Write(ref _stamp, now);
        (_thirdLast, _secondLast, _last) = (_secondLast, _last, latency);
    }

    /// <summary>The mean when it was last measured, in ticks; 0 when it never was.</summary>
    public double Latest => Volatile.Read(ref _mean);

    /// <summary>The middle one of the last three, in ticks; 0 when only one was measured. One that was slow by chance, or for being the first, does not
    /// raise it.</summary>
    public long MedianOfThree
    {
        get
        {
            var (a, b, c) = (Volatile.Read(ref _last), Volatile.Read(ref _secondLast), Volatile.Read(ref _thirdLast));
            return Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));
        }
    }

    /// <summary>True when something was measured within the last five seconds.</summary>
    public bool IsFresh(long now) => now - Volatile.Read(ref _stamp) < _forgetTicks;

    /// <summary>The mean in ticks; 0 when nothing was ever measured.</summary>
    public double At(long now) => Volatile.Read(ref _mean) * Old(now);

    /// <summary>The share that what was measured before still has.</summary>
    private double Old(long now) => Math.Exp(-Math.Max(0, now - Volatile.Read(ref _stamp)) / _decayTicks);
}
