namespace OpenPlatform.ServiceDefaults.Instances;

/// <summary>Whether an instance wants new work.</summary>
public enum InstanceStatus
{
    /// <summary>Takes requests.</summary>
    Ready,

    /// <summary>Finishes what it has; gives it nothing new.</summary>
    Draining,
}

/// <summary>
/// One instance's presence in the registry: a right that ends by itself. Written by the instance at every heartbeat, signed
/// with the key of its service, and read by the gateways.
/// </summary>
/// <param name="Service">Registered name of the service, for example <c>orders</c>.</param>
/// <param name="InstanceId">Unique among the service's instances, 1 to 128 characters of <c>[A-Za-z0-9._-]</c>.</param>
/// <param name="Address">Where it can be called: absolute http or https URL without a path.</param>
/// <param name="Zone">Failure zone, when known.</param>
/// <param name="Weight">Share of traffic relative to its peers, 1 to 1000; 100 is normal.</param>
/// <param name="ExpiresAt">First instant at which the lease no longer counts, UTC.</param>
public sealed record InstanceLease(
    string Service, string InstanceId, Uri Address, string? Zone, int Weight, InstanceStatus Status, DateTimeOffset ExpiresAt);

/// <summary>Reads the registry.</summary>
public interface ILeaseRegistry
{
    /// <summary>Leases of <paramref name="service"/> that are correctly signed and not expired; others are dropped and counted.</summary>
    /// <exception cref="Redis.RedisUnavailableException">The registry cannot be read: keep the view you have.</exception>
    ValueTask<IReadOnlyList<InstanceLease>> ReadAsync(string service, CancellationToken cancellationToken);

    /// <summary>Calls <paramref name="onChange"/> with the name of a service whose leases changed; a hint to read now.</summary>
    IDisposable Subscribe(Action<string> onChange);
}
