using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace OpenPlatform.ServiceDefaults.Health;

/// <summary>Whether this process is on its way out. Set once, never cleared.</summary>
public sealed class DrainState
{
    private volatile bool _draining;

    public DrainState(IHostApplicationLifetime lifetime) => lifetime.ApplicationStopping.Register(Begin);

    public bool IsDraining => _draining;

    internal void Begin() => _draining = true;
}

/// <summary>Makes <c>/health</c> answer 503 while draining, so that whoever sends traffic sends it elsewhere.</summary>
internal sealed class DrainCheck(DrainState state) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(state.IsDraining ? HealthCheckResult.Unhealthy("Draining.") : HealthCheckResult.Healthy());
}
