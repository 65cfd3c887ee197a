namespace OpenPlatform.Gateway.Instances;

/// <summary>What a source says about an instance.</summary>
/// <param name="Id">Lease id, or the address when it has none.</param>
/// <param name="Weight">1 to 1000; 100 is normal.</param>
internal sealed record InstanceConfig(string Id, Uri Address, int Weight = 100);

/// <summary>One running copy of a backend as this gateway sees it; kept as long as a source names it.</summary>
internal sealed class Instance(InstanceConfig config, BackendState backend)
{
    private int _inFlight;
    private int _failures;
    private long _ejectedUntil;

    public InstanceConfig Config { get; } = config;

    /// <summary>For the forwarder: <c>http://127.0.0.1:5001/</c>.</summary>
    public string Prefix { get; } = config.Address.GetLeftPart(UriPartial.Authority) + "/";

    public int Weight { get; } = Math.Clamp(config.Weight, 1, 1000);

    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>True after a connect error, until the time is up; then one request may try.</summary>
    public bool IsEjected => Volatile.Read(ref _ejectedUntil) != 0;

    /// <summary>A try begins. Each needs its <see cref="End"/>.</summary>
    public void Begin() => Interlocked.Increment(ref _inFlight);

    /// <summary>A try has ended.</summary>
    /// <param name="latencyTicks">From begin to end, or to the head of the answer where that is known, in ticks of the <see cref="TimeProvider"/>'s timestamps.</param>
    public void End(Outcome outcome, long latencyTicks)
    {
        Interlocked.Decrement(ref _inFlight);
        backend.Ended(this, outcome, latencyTicks);
    }

    /// <summary>True when a request may go there. Half-open: of an ejected instance whose time is up, one caller gets true, and
    /// the others wait for what becomes of it.</summary>
    /// <param name="now">Milliseconds, monotonic.</param>
    public bool MayTry(long now)
    {
        var until = Volatile.Read(ref _ejectedUntil);
        return until == 0 || (now >= until && Interlocked.CompareExchange(ref _ejectedUntil, now + EjectionMilliseconds(), until) == until);
    }

    /// <returns>True when it was out until now.</returns>
    public bool Succeeded()
    {
        if (Volatile.Read(ref _ejectedUntil) == 0)
        {
            return false;
        }

        Volatile.Write(ref _failures, 0);
        return Interlocked.Exchange(ref _ejectedUntil, 0) != 0;
    }

    /// <summary>No connection could be made: out at once, for twice as long each time in a row.</summary>
    /// <returns>True when it was not out already.</returns>
    public bool FailedToConnect(long now)
    {
        Interlocked.Increment(ref _failures);
        return Interlocked.Exchange(ref _ejectedUntil, now + EjectionMilliseconds()) == 0;
    }

    /// <summary>0.25 s, doubling to 8 s: short enough that a restarted instance is found soon by itself.</summary>
    private long EjectionMilliseconds() => 250L << Math.Clamp(Volatile.Read(ref _failures) - 1, 0, 5);
}
