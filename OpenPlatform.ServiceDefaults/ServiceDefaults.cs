using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http.Resilience;
using OpenPlatform.ServiceDefaults.Deployment;
using OpenPlatform.ServiceDefaults.Health;
using OpenPlatform.ServiceDefaults.Instances;
using OpenPlatform.ServiceDefaults.Telemetry;

namespace Microsoft.Extensions.Hosting;

/// <summary>What every service of the platform does the same way.</summary>
public static class ServiceDefaults
{
    /// <summary>Identity, telemetry, health, and for every <see cref="HttpClient"/> service discovery and standard resilience.</summary>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        ProbeCommand.AnswerIfAsked(Environment.GetCommandLineArgs());
        builder.AddServiceStart();
        builder.AddSecretFiles();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.AddServiceIdentity();
        builder.AddTelemetry();
        builder.AddDefaultHealthChecks();

        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(http =>
        {
            // Resilience around discovery: each attempt asks for an endpoint anew, so a retry reaches another instance.
            http.AddStandardResilienceHandler(options => options.Retry.DisableForUnsafeHttpMethods()).SelectPipelineByAuthority();
            http.AddServiceDiscovery();
        });
        return builder;
    }

    /// <summary><c>GET /health</c>: every check, 503 while draining. <c>GET /alive</c>: only the checks tagged <c>live</c>.</summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapHealth();
        return app;
    }
}
