using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace OpenPlatform.ServiceDefaults.Health;

internal static class HealthServices
{
    /// <summary>Checks with this tag say whether the process should be restarted; all together say whether it wants traffic.</summary>
    private const string Live = "live";

    public static void AddDefaultHealthChecks(this IHostApplicationBuilder builder)
    {
        if (builder.Services.Any(service => service.ServiceType == typeof(DrainState)))
        {
            return; // called twice: health checks of one name may be registered only once
        }

        builder.Services.AddSingleton<DrainState>();
        builder.Services.AddHealthChecks()
            .AddCheck("self", () => HealthCheckResult.Healthy(), [Live])
            .AddCheck<DrainCheck>("drain");
    }

    public static void MapHealth(this WebApplication app)
    {
        // The state begins to listen to the host's lifetime now, not at the first probe.
        _ = app.Services.GetRequiredService<DrainState>();

        app.MapHealthChecks("/health").ShortCircuit().DisableHttpMetrics();
        app.MapHealthChecks("/alive", new HealthCheckOptions { Predicate = check => check.Tags.Contains(Live) })
            .ShortCircuit().DisableHttpMetrics();
    }
}
