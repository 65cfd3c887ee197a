using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>Ready is: a snapshot was applied. The catalog, Redis and Postgres never make a gateway unready.</summary>
internal sealed class SnapshotHealthCheck(ActiveSnapshot active) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(active.Current is { } snapshot
            ? HealthCheckResult.Healthy($"revision {snapshot.Revision}")
            : HealthCheckResult.Unhealthy("no snapshot was ever applied"));
}
