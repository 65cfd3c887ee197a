using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.HealthChecks;

/// <summary>
/// Decides which instances of one backend are in rotation, by what requests and probes say. Every method is called under the lock of the
/// backend and returns true when the view has to be made anew. Times are milliseconds of a monotonic clock.
/// </summary>
internal sealed class BackendHealth(ILogger logger)
{
    private const int ConnectEjectionMs = 250;
    private const int SilentProbes = 2;
    private const long TrialWidensMs = 2_000;

    /// <summary>A trial that has not failed by then, such as a stream, has passed.</summary>
    private const long TrialPassesMs = 5_000;

    public string Backend { get; set; } = "";

    public HealthPolicy Policy { get; set; } = HealthPolicy.Default;

    private PassiveHealth Passive => Policy.Passive ?? PassiveHealth.Default;

    /// <summary>A try has failed, or the instance was out when it ended.</summary>
    public bool Ended(Instance instance, Outcome outcome, BackendView view, long now)
    {
        var health = instance.Health;
        if (outcome == Outcome.Cancelled)
        {
            health.ReopenTrial();
            return false;
        }

        // What began before the ejection says nothing about now.
        var counts = health.IsTrialTaken || view.IsPanic;
        if (outcome == Outcome.Success)
        {
            return counts && Return(instance, now);
        }

        health.Failed(inARow: outcome is Outcome.Timeout or Outcome.Broken);
        health.Probes.IsSuspect |= outcome is Outcome.Timeout or Outcome.Broken;
        if (health.OutBecause is { } reason)
        {
            if (!health.IsTrialTaken)
            {
                return false;
            }

            if (outcome == Outcome.ServerError && health.IsUnreachable)
            {
                return Return(instance, now); // it was asked whether it can be reached
            }

            Extend(instance, outcome == Outcome.ConnectError ? EjectionReason.ConnectError : reason, now);
            return true;
        }

        return Verdict(instance, outcome, view) is { } verdict && Eject(instance, verdict, now);
    }

    /// <summary>Time has passed: about every 100 ms.</summary>
    /// <param name="due">Takes the instances to be probed now; null: nobody probes.</param>
    public bool Tick(Instance instance, BackendView view, ICollection<Instance>? due, long now)
    {
        var (health, probes) = (instance.Health, instance.Health.Probes);
        health.Rotate(Passive, instance.Ended, now);
        var stalled = probes.IsStalled(instance.Ended, instance.InFlight, now);
        if (instance.Config.Draining)
        {
            return false;
        }

        if (Policy.Active is null && health.OutBecause is EjectionReason.Starting or EjectionReason.ProbeFailed)
        {
            return Return(instance, now); // nobody probes it any more
        }

        if (health.IsOnTrial)
        {
            return WatchTrial(instance, now);
        }

        var isOver = health.OutBecause is not (null or EjectionReason.Starting or EjectionReason.ProbeFailed) && now >= health.OutUntil;
        if (isOver && due is null)
        {
            health.OpenTrial(now);
            return true;
        }

        if (!probes.UnderWay && (isOver || (Policy.Active is not null && probes.IsDue(now)) || (health.OutBecause is null && view.Ready.Length > 1 && (stalled || probes.IsSuspect))))
        {
            probes.UnderWay = due is not null;
            due?.Add(instance);
        }

        return false;
    }

    public bool Probed(Instance instance, ProbeResult result, long now)
    {
        var (health, probes) = (instance.Health, instance.Health.Probes);
        probes.UnderWay = false;
        probes.Done(result == ProbeResult.Healthy, Policy.Active, now);
        var lives = result is ProbeResult.Healthy or ProbeResult.Unhealthy;
        if (lives)
        {
            probes.Alive(now);
        }

        switch (health.OutBecause)
        {
            case null:
                probes.IsSuspect = result == ProbeResult.Silent; // once more, at once
                EjectionReason? verdict = result switch
                {
                    ProbeResult.Refused => EjectionReason.ConnectError,
                    ProbeResult.Silent when probes.UnhealthyInARow >= (Policy.Active?.UnhealthyThreshold ?? SilentProbes) => EjectionReason.Silent,
                    ProbeResult.Unhealthy when probes.UnhealthyInARow >= Policy.Active?.UnhealthyThreshold => EjectionReason.ProbeFailed,
                    _ => null,
                };
                return verdict is { } found && Eject(instance, found, now);

            case EjectionReason.Starting:
                return result == ProbeResult.Healthy && Return(instance, now);

            case EjectionReason.ProbeFailed:
                return probes.HealthyInARow >= Policy.Active?.HealthyThreshold && Return(instance, now);

            case var reason when now >= health.OutUntil && !health.IsOnTrial:
                if (result == ProbeResult.Healthy)
                {
                    health.OpenTrial(now);
                    return true;
                }

                Extend(instance, lives ? reason.Value : result == ProbeResult.Refused ? EjectionReason.ConnectError : EjectionReason.Silent, now);
                return true;

            default:
                return false;
        }
    }

    private bool WatchTrial(Instance instance, long now)
    {
        var health = instance.Health;
        if (health.IsTrialTaken)
        {
            health.SeeTrialTaken(now);
            return now - health.TrialSince >= TrialPassesMs && Return(instance, now);
        }

        if (now - health.TrialSince >= TrialWidensMs)
        {
            health.WidenTrial();
        }

        return false;
    }

    /// <summary>The reason to eject an instance that is in rotation and has failed a try, or null.</summary>
    private EjectionReason? Verdict(Instance instance, Outcome outcome, BackendView view)
    {
        if (outcome == Outcome.ConnectError)
        {
            return EjectionReason.ConnectError;
        }

        var (requests, failures) = instance.Health.Window(instance.Ended);
        EjectionReason? reason = instance.Health.FailuresInARow >= Passive.ConsecutiveFailures ? EjectionReason.FailuresInARow
            : requests >= Passive.MinimumRequests && failures * 100 >= Passive.FailurePercent * requests ? EjectionReason.FailureRate
            : null;
        if (reason is null)
        {
            return null;
        }

        // Where all fail alike the fault lies elsewhere, and nothing is won by having fewer of them.
        long gone = 1, peerRequests = 0, peerFailures = 0;
        foreach (var peer in view.Ready)
        {
            if (peer.IsEjected)
            {
                gone++;
            }
            else if (peer != instance)
            {
                var (more, failed) = peer.Health.Window(peer.Ended);
                (peerRequests, peerFailures) = (peerRequests + more, peerFailures + failed);
            }
        }

        var share = gone * 100 <= Policy.MaxEjectedPercent * view.Ready.Length;
        return share && (double)failures / Math.Max(requests, 1) > 2d * peerFailures / Math.Max(peerRequests, 1) ? reason : null;
    }

    private bool Eject(Instance instance, EjectionReason reason, long now)
    {
        Extend(instance, reason, now);
        logger.InstanceEjected(instance.Prefix, Backend, reason);
        return true;
    }

    private void Extend(Instance instance, EjectionReason reason, long now)
    {
        instance.Health.Eject(reason, reason == EjectionReason.ConnectError ? ConnectEjectionMs : Passive.EjectionMs, now);
        if (reason == EjectionReason.Silent)
        {
            instance.Silence();
        }
    }

    private bool Return(Instance instance, long now)
    {
        instance.Health.Return(instance.Ended, now);
        instance.BeginRamp(now);
        logger.InstanceBack(instance.Prefix, Backend);
        return true;
    }
}
