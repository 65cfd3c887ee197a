namespace OpenPlatform.Bench.Simulate;

/// <param name="StartSeconds">From the decision for a replica to its first request.</param>
/// <param name="DrainSeconds">A replica that leaves is paid for so long.</param>
/// <param name="ReplacesLost">See <see cref="ScalingSettings"/>.</param>
internal sealed record FleetTimes(double StartSeconds, double DrainSeconds, bool ReplacesLost);

/// <summary>The replicas of a service, over three zones.</summary>
internal sealed class Fleet
{
    private const int Zones = 3;

    /// <summary>Kubernetes gives a node that is silent 40 s, and its pods five minutes more (node-monitor-grace-period, tolerationSeconds).</summary>
    private const double GivesUpAfter = 340;

    /// <summary>Metrics of a period count when the replica was ready all of it.</summary>
    private const double Scrape = 15;

    /// <summary>What a new pod needs until its process runs: its node is chosen, its image is there.</summary>
    private const double Pending = 3;

    private readonly FleetTimes _times;
    private readonly List<Replica> _replicas = [];
    private readonly bool[] _lost = new bool[Zones];
    private double _lostSince;

    public Fleet(FleetTimes times, int count)
    {
        _times = times;
        for (var i = 0; i < count; i++)
        {
            Add(-3600);
        }
    }

    /// <summary>Asked for: running, starting, or lost and not given up.</summary>
    public int Wanted => _replicas.Count(static r => r.LeftAt is null);

    /// <summary>Those that somebody pays for.</summary>
    public int Paid(double now) => _replicas.Count(r => !IsLost(r) && (r.LeftAt is not { } left || now < left + _times.DrainSeconds));

    public int Serving(double now) => _replicas.Count(r => r.LeftAt is null && !IsLost(r) && now >= r.CreatedAt + _times.StartSeconds);

    public void LoseZone(double now)
    {
        (_lost[0], _lostSince) = (true, now);
    }

    public void ZoneIsBack(double now)
    {
        _lost[0] = false;
        foreach (var replica in _replicas.Where(static r => r.Zone == 0))
        {
            replica.CreatedAt = now; // its node starts it again
        }
    }

    /// <summary>What was given up is replaced, who has drained is gone.</summary>
    public void Step(double now)
    {
        if (_times.ReplacesLost && now > _lostSince + GivesUpAfter)
        {
            var given = _replicas.RemoveAll(r => IsLost(r));
            for (var i = 0; i < given; i++)
            {
                Add(now);
            }
        }

        _replicas.RemoveAll(r => r.LeftAt < now - _times.DrainSeconds);
    }

    public void Scale(double now, int wanted)
    {
        for (var n = Wanted; n < wanted; n++)
        {
            Add(now);
        }

        // First those that serve nobody, then the newest.
        foreach (var replica in _replicas.Where(static r => r.LeftAt is null).OrderBy(IsLost).ThenBy(static r => r.CreatedAt).Skip(wanted).ToArray())
        {
            replica.LeftAt = now;
        }
    }

    /// <param name="now">Of the metrics.</param>
    /// <param name="cpu">Of each that serves.</param>
    /// <param name="inFlight">Of each that serves.</param>
    public IReadOnlyList<Reading> Read(double now, double cpu, double inFlight) =>
    [
        .. _replicas.Where(static r => r.LeftAt is null).Select(r =>
        {
            var age = now - r.CreatedAt;
            return IsLost(r) ? new Reading(IsCounted: true, IsPending: false, null, null)
                : new Reading(IsCounted: age >= _times.StartSeconds + Scrape, IsPending: age < Pending, cpu, age >= _times.StartSeconds ? inFlight : 0);
        }),
    ];

    private bool IsLost(Replica replica) => _lost[replica.Zone];

    /// <summary>Where the fewest are.</summary>
    private void Add(double now)
    {
        var zone = Enumerable.Range(0, Zones).Where(z => !_lost[z]).MinBy(z => _replicas.Count(r => r.Zone == z && r.LeftAt is null));
        _replicas.Add(new() { Zone = zone, CreatedAt = now });
    }

    private sealed class Replica
    {
        public required int Zone { get; init; }
        public required double CreatedAt { get; set; }
        public double? LeftAt { get; set; }
    }
}
