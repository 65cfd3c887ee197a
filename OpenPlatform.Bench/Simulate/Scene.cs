namespace OpenPlatform.Bench.Simulate;

/// <summary>What a replica can do and how long it takes to be there. Each default says where it comes from; what is assumed is marked so, and an option of the command.</summary>
internal sealed record Inputs
{
    /// <summary>CPU of a request with every policy on: the table of docs/performance.md.</summary>
    public double GatewayCpuMicroseconds { get; init; } = 30.8;

    /// <summary>CPU of a request that is shed, as a share of one that is forwarded: two of the four system calls of docs/performance.md.</summary>
    public double ShedCost { get; init; } = 0.5;

    /// <summary>CPU of a request at the backend. Assumed.</summary>
    public double BackendCpuMicroseconds { get; init; } = 100;

    /// <summary>What a backend waits for besides, such as its database. Assumed.</summary>
    public double BackendWaitMilliseconds { get; init; } = 20;

    /// <summary>From the decision for a replica to its first request. Assumed: 3 s until the process runs, the rest to start it (docs/operations/scale.md has what was measured), probes and propagation.</summary>
    public double StartSeconds { get; init; } = 20;

    /// <summary>Longest time from SIGTERM to the end (docs/deploy.md).</summary>
    public double DrainSeconds { get; init; } = 31;

    /// <summary>Of the noise of the load.</summary>
    public int Seed { get; init; } = 1;
}

/// <summary>A second: counts at its end, everything else the mean of it.</summary>
internal sealed record Moment(double At, double Offered, double Served, double Shed, double TopShed, double LatencyMilliseconds, int Gateways, int Backends, int GatewaysServing, int BackendsServing, int GatewaysPaid, int BackendsPaid);

/// <param name="OfferedByPlan">Requests in all, the top plan first.</param>
internal sealed record SceneResult(IReadOnlyList<Moment> Moments, IReadOnlyList<double> OfferedByPlan, IReadOnlyList<double> ShedByPlan, ScalingSettings Gateway, ScalingSettings Backend)
{
    /// <summary>Changes of direction in any <see cref="FlappingWindowSeconds"/> that are one too many.</summary>
    public const int Flapping = 4;

    public const double FlappingWindowSeconds = 1800;

    public int GatewayTurns => Turns(static m => m.Gateways);
    public int BackendTurns => Turns(static m => m.Backends);
    public bool Flaps => GatewayTurns >= Flapping || BackendTurns >= Flapping;
    public bool TopIsShed => ShedByPlan[0] > 0;

    /// <summary>Replica-hours.</summary>
    public double GatewayHours => Moments.Sum(static m => m.GatewaysPaid) / 3600d;
    public double BackendHours => Moments.Sum(static m => m.BackendsPaid) / 3600d;
    public double CoreHours => (GatewayHours * Gateway.Cores) + (BackendHours * Backend.Cores);

    /// <summary>Mean latency of all but the slowest share of requests.</summary>
    public double LatencyAt(double share)
    {
        var sorted = Moments.OrderBy(static m => m.LatencyMilliseconds).ToArray();
        var left = sorted.Sum(static m => m.Served) * share;
        foreach (var moment in sorted)
        {
            if ((left -= moment.Served) <= 0)
            {
                return moment.LatencyMilliseconds;
            }
        }

        return sorted[^1].LatencyMilliseconds;
    }

    /// <summary>Most changes from growing to shrinking or back within a window.</summary>
    private int Turns(Func<Moment, int> replicas)
    {
        var turns = new List<double>();
        var direction = 0;
        for (var i = 1; i < Moments.Count; i++)
        {
            var change = Math.Sign(replicas(Moments[i]) - replicas(Moments[i - 1]));
            if (change != 0)
            {
                if (direction != 0 && change != direction)
                {
                    turns.Add(Moments[i].At);
                }

                direction = change;
            }
        }

        return turns.Select(end => turns.Count(t => t <= end && t > end - FlappingWindowSeconds)).DefaultIfEmpty().Max();
    }
}
