using System.Diagnostics.CodeAnalysis;
using OpenPlatform.Gateway.Balancing;
using OpenPlatform.Gateway.Forwarding.Direct;
using OpenPlatform.Gateway.HealthChecks;
using OpenPlatform.Gateway.Observability;

namespace OpenPlatform.Gateway.Instances;

/// <summary>One running copy of a backend as this gateway sees it; kept, with its state, as long as a source names it.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A token source without timer and handle holds nothing.")]
internal sealed class Instance(InstanceConfig config, BackendState backend, TimeProvider time)
{
    /// <summary>Steps of a ramp: each makes a new picker.</summary>
    private const int RampSteps = 20;
    private const double RampStart = 0.1;
    private const long Grown = long.MinValue;

    private InstanceConfig _config = config;
    private double _effectiveWeight = Math.Clamp(config.Weight, 1, 1000);
    private long _rampFrom = Grown;
    private CancellationTokenSource _silence = new();
    private long _begun;
    private long _ended;

    /// <summary>The latest; id and address never change.</summary>
    public InstanceConfig Config
    {
        get => Volatile.Read(ref _config);
        set => Volatile.Write(ref _config, value);
    }

    /// <summary>For the forwarder: <c>http://127.0.0.1:5001/</c>.</summary>
    public string Prefix { get; } = config.Address.GetLeftPart(UriPartial.Authority) + "/";

    /// <summary>1 to 1000; 100 is normal.</summary>
    public int Weight => Math.Clamp(Config.Weight, 1, 1000);

    /// <summary>The weight that counts now: grows from a tenth to <see cref="Weight"/> while it ramps.</summary>
    public double EffectiveWeight
    {
        get => Volatile.Read(ref _effectiveWeight);
        set => Volatile.Write(ref _effectiveWeight, value);
    }

    // Ends are read first: between the two reads the number can only be too high.
    public int InFlight
    {
        get
        {
            var ended = Volatile.Read(ref _ended);
            return (int)(Volatile.Read(ref _begun) - ended);
        }
    }

    /// <summary>Requests in flight for its weight: 100 is normal.</summary>
    public double Load => InFlight * 100 / EffectiveWeight;

    /// <summary>Tries that have ended, however.</summary>
    public long Ended => Volatile.Read(ref _ended);

    public PeakEwma Latency { get; } = new(time);

    public InstanceHealth Health { get; } = new();

    /// <summary>Fires when the instance is found to be frozen: tries that can be repeated need not wait for it.</summary>
    public CancellationToken Silenced => Volatile.Read(ref _silence).Token;

    public bool IsEjected => Health.OutBecause is not null;

    /// <summary>How long tries took; made by <see cref="RequestMetrics"/>.</summary>
    public DurationTable? Durations { get; set; }

    /// <summary>Those of the requests that go to it directly.</summary>
    public DirectConnections Connections { get; } = new(config.Address);

    /// <summary>Fires <see cref="Silenced"/>, on other threads.</summary>
    public void Silence()
    {
        Connections.Abandon();
        _ = Interlocked.Exchange(ref _silence, new()).CancelAsync();
    }

    /// <summary>From now on it grows into its weight.</summary>
    /// <param name="now">Milliseconds, monotonic.</param>
    public void BeginRamp(long now) => _rampFrom = now;

    /// <summary>Brings <see cref="EffectiveWeight"/> up to date; true when it changed. Under the lock of the backend.</summary>
    public bool Ramp(int rampSeconds, long now)
    {
        var share = _rampFrom == Grown || rampSeconds == 0 ? 1 : (now - _rampFrom) / (rampSeconds * 1000d);
        if (share >= 1)
        {
            _rampFrom = Grown;
        }

        var weight = Weight * Math.Clamp(Math.Floor(share * RampSteps) / RampSteps, RampStart, 1);
        var changed = Math.Abs(weight - EffectiveWeight) > 1e-9;
        EffectiveWeight = weight;
        return changed;
    }

    /// <summary>A try begins. Each needs its <see cref="End"/>.</summary>
    public void Begin() => Interlocked.Increment(ref _begun);

    /// <summary>A try has ended.</summary>
    /// <param name="latencyTicks">From begin to the head of the answer where that is known, else to the end, in ticks of the <see cref="TimeProvider"/>'s timestamps.</param>
    public void End(Outcome outcome, long latencyTicks)
    {
        Interlocked.Increment(ref _ended);
        backend.Ended(this, outcome, latencyTicks);
    }
}
