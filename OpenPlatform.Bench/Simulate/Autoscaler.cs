namespace OpenPlatform.Bench.Simulate;

/// <param name="IsPercent">Of the replicas at the begin of the period; otherwise a number of them.</param>
internal sealed record ScalingPolicy(bool IsPercent, int Value, int PeriodSeconds);

/// <param name="WindowSeconds">Of stabilization.</param>
/// <param name="ChooseMost">The policy that changes most counts; otherwise the one that changes least.</param>
internal sealed record ScalingBehavior(int WindowSeconds, bool ChooseMost, IReadOnlyList<ScalingPolicy> Policies);

/// <summary>How many replicas of a service run: what was published for it.</summary>
/// <param name="Cores">That each replica asks for.</param>
/// <param name="CpuPercent">Mean use of these at which another is added; null: not asked.</param>
/// <param name="InFlight">Mean requests in flight of a replica at which another is added; null: not asked.</param>
/// <param name="RequestsPerSecond">The same for requests a second, of all replicas together; null: not asked.</param>
/// <param name="ReplacesLost">Replicas that are lost are started elsewhere once the platform gives them up; those of a StatefulSet wait for their volumes.</param>
internal sealed record ScalingSettings(int Min, int Max, double Cores, int? CpuPercent, double? InFlight, double? RequestsPerSecond, ScalingBehavior Up, ScalingBehavior Down, bool ReplacesLost = true);

/// <summary>What the metrics say of a replica. A replica that died says nothing until somebody notices and removes it.</summary>
/// <param name="IsCounted">False: it starts, and what it says about its CPU means nothing yet.</param>
/// <param name="IsPending">Its process does not run yet.</param>
/// <param name="Cpu">Cores in use; null: no word of it.</param>
/// <param name="InFlight">Null: no word of it.</param>
internal readonly record struct Reading(bool IsCounted, bool IsPending, double? Cpu, double? InFlight);

/// <summary>
/// The controller of Kubernetes' HorizontalPodAutoscaler (autoscaling/v2, pkg/controller/podautoscaler of 1.32: replica_calculator.go and horizontal.go). KEDA, and so Azure
/// Container Apps, only feeds it metrics: its numbers of a whole service are external metrics with an average value for each replica.
/// </summary>
internal sealed class Autoscaler(ScalingSettings settings)
{
    /// <summary>Default of kube-controller-manager.</summary>
    private const double Tolerance = 0.1;

    private readonly List<(double At, int Replicas)> _recommendations = [];
    private readonly List<(double At, int Change)> _ups = [], _downs = [];

    /// <summary>The next number of replicas.</summary>
    /// <param name="now">In seconds.</param>
    /// <param name="current">What it last asked for.</param>
    /// <param name="readings">Of every replica that is not on its way out.</param>
    /// <param name="requestsPerSecond">Of all together.</param>
    public int Next(double now, int current, IReadOnlyList<Reading> readings, double requestsPerSecond)
    {
        int?[] proposals =
        [
            .. settings.CpuPercent is { } percent ? [ByReplica(current, readings, static r => r.Cpu, static r => !r.IsCounted, settings.Cores * percent / 100d, missingOnTheWayDown: settings.Cores * Math.Max(100, percent) / 100d)] : Array.Empty<int?>(),
            .. settings.InFlight is { } inFlight ? [ByReplica(current, readings, static r => r.InFlight, static r => r.IsPending, inFlight, missingOnTheWayDown: inFlight)] : Array.Empty<int?>(),
            .. settings.RequestsPerSecond is { } rate ? [ByTotal(current, requestsPerSecond, rate)] : Array.Empty<int?>(),
        ];
        var desired = proposals.Max() ?? current;
        if (proposals.Any(static p => p is null) && desired < current)
        {
            desired = current; // who does not know everything takes nothing away
        }

        // Kubernetes remembers first and keeps within the bounds then; the greatest and the least of a window are the same either way.
        desired = Limited(now, current, Stabilized(now, current, Math.Clamp(desired, settings.Min, settings.Max)));
        if (desired != current)
        {
            (desired > current ? _ups : _downs).Add((now, Math.Abs(desired - current)));
        }

        return desired;
    }

    /// <summary>A metric with a value for each replica.</summary>
    private static int? ByReplica(int current, IReadOnlyList<Reading> readings, Func<Reading, double?> value, Func<Reading, bool> isUnready, double target, double missingOnTheWayDown)
    {
        var known = readings.Where(r => !isUnready(r) && value(r) is not null).Select(r => value(r)!.Value).ToArray();
        if (known.Length == 0)
        {
            return null;
        }

        var missing = readings.Count(r => !r.IsPending && value(r) is null);
        var unready = readings.Count(r => isUnready(r) && (r.IsPending || value(r) is not null));
        var ratio = known.Average() / target;
        var dampen = unready > 0 && ratio > 1;
        if (missing == 0 && !dampen)
        {
            return Within(ratio) ? current : Ceiling(ratio * known.Length);
        }

        // Those that say nothing work as hard as would keep the number, those that start do nothing.
        var count = known.Length + missing + (dampen ? unready : 0);
        var sum = known.Sum() + (ratio < 1 ? missing * missingOnTheWayDown : 0);
        var careful = sum / count / target;
        if (Within(careful) || ratio < 1 != careful < 1)
        {
            return current;
        }

        var replicas = Ceiling(careful * count);
        return careful < 1 ? Math.Min(replicas, current) : Math.Max(replicas, current);
    }

    private static int ByTotal(int current, double value, double target) => Within(value / (target * current)) ? current : Ceiling(value / target);

    // What floating point adds is no reason for a replica more.
    private static bool Within(double ratio) => Math.Abs(ratio - 1) <= Tolerance + 1e-9;

    private static int Ceiling(double value) => (int)Math.Ceiling(value - 1e-9);

    /// <summary>Up: no more than everybody said within the window. Down: no less than anybody said.</summary>
    private int Stabilized(double now, int current, int desired)
    {
        var (up, down) = (desired, desired);
        foreach (var (at, replicas) in _recommendations)
        {
            up = at > now - settings.Up.WindowSeconds ? Math.Min(up, replicas) : up;
            down = at > now - settings.Down.WindowSeconds ? Math.Max(down, replicas) : down;
        }

        _recommendations.RemoveAll(r => r.At <= now - Math.Max(settings.Up.WindowSeconds, settings.Down.WindowSeconds));
        _recommendations.Add((now, desired));
        return current < up ? up : current > down ? down : current;
    }

    /// <summary>No faster than the policies let it.</summary>
    private int Limited(double now, int current, int desired)
    {
        if (desired == current)
        {
            return current;
        }

        var up = desired > current;
        var behavior = up ? settings.Up : settings.Down;
        var limits = behavior.Policies.Select(policy =>
        {
            var atBegin = current - Changed(_ups, now, policy) + Changed(_downs, now, policy);
            return (policy.IsPercent, up) switch
            {
                (true, true) => Ceiling(atBegin * (1 + policy.Value / 100d)),
                (true, false) => (int)(atBegin * (1 - policy.Value / 100d)),
                (false, true) => atBegin + policy.Value,
                (false, false) => atBegin - policy.Value,
            };
        });
        var limit = up == behavior.ChooseMost ? limits.Max() : limits.Min();
        // What a policy forbids now is never a reason to go the other way.
        return up ? Math.Min(desired, Math.Max(limit, current)) : Math.Max(desired, Math.Min(limit, current));
    }

    private static int Changed(List<(double At, int Change)> events, double now, ScalingPolicy policy) => events.Where(e => e.At > now - policy.PeriodSeconds).Sum(static e => e.Change);
}
