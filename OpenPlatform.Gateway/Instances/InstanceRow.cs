using OpenPlatform.Gateway.HealthChecks;

namespace OpenPlatform.Gateway.Instances;

/// <summary>What an instance is doing, as operators see it.</summary>
internal enum InstanceStateName
{
    /// <summary>Known, but it has not yet passed its first probe.</summary>
    Starting,

    /// <summary>Takes its full share.</summary>
    Ready,

    /// <summary>Takes a share that grows with its age.</summary>
    Ramping,

    /// <summary>Finishes what it has.</summary>
    Draining,

    /// <summary>Taken out by health.</summary>
    Ejected,
}

/// <summary>One instance at one moment, for <c>GET /instances</c>.</summary>
/// <param name="Weight">As its source says, 1 to 1000.</param>
/// <param name="EffectiveWeight">What balancing uses: less than <paramref name="Weight"/> while it ramps.</param>
/// <param name="LatencyMs">Recent mean with its peaks, ms; 0 before the first answer.</param>
/// <param name="Requests">Tries that have ended.</param>
/// <param name="Failures">Those that did not end with an answer below 500, cancelled ones apart.</param>
/// <param name="EjectedBecause">Null unless ejected.</param>
internal sealed record InstanceRow(
    string Backend, string Id, Uri Address, InstanceSource Source, string? Zone, int Priority, int Weight, double EffectiveWeight, InstanceStateName State, int InFlight,
    double LatencyMs, long Requests, long Failures, EjectionReason? EjectedBecause);
