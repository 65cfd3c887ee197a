using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenPlatform.ServiceDefaults.Instances;
using OpenTelemetry.Logs;
using OpenTelemetry.Resources;

namespace OpenPlatform.ServiceDefaults.Telemetry;

/// <summary>
/// Logs, metrics and traces over OTLP. The standard OTEL_* settings rule it; without OTEL_EXPORTER_OTLP_ENDPOINT there is none of
/// it. (OpenTelemetry.Extensions.Hosting and the instrumentation packages are not used: the runtime's own sources and meters carry
/// what they would add, and <see cref="ServerSpans"/> completes the server span.)
/// </summary>
internal static class TelemetryServices
{
    public const string EndpointKey = "OTEL_EXPORTER_OTLP_ENDPOINT";

    public static void AddTelemetry(this IHostApplicationBuilder builder)
    {
        // ASP.NET Core logs every request with its whole URL at Information: noise beside the spans, and query strings hold secrets.
        if (builder.Configuration["Logging:LogLevel:Microsoft.AspNetCore"] is null)
        {
            builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        }

        // The health check service logs an error at each probe of a service that is not ready yet. The answer to the probe says it
        // already, and what made it so is logged where it happens.
        if (builder.Configuration["Logging:LogLevel:Microsoft.Extensions.Diagnostics.HealthChecks"] is null)
        {
            builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.Critical);
        }

        if (string.IsNullOrWhiteSpace(builder.Configuration[EndpointKey]) || builder.Services.Any(s => s.ServiceType == typeof(TelemetryExport)))
        {
            return;
        }

        // Lets the server span carry the attributes of OpenTelemetry's HTTP conventions; the switch is read when the web host is built.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);

        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });
        builder.Services.AddOptions<OpenTelemetryLoggerOptions>().Configure<ServiceIdentity, IConfiguration>((logging, identity, configuration) =>
        {
            logging.SetResourceBuilder(ResourceBuilder.CreateDefault().AddIdentity(identity, configuration));
            logging.AddOtlpExporter();
        });

        builder.Services.AddSingleton<TelemetryExport>();
        builder.Services.AddHostedService(services => services.GetRequiredService<TelemetryExport>());
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartupFilter, ServerSpansStartup>());
    }

    /// <summary>Names the service and the instance where OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES do not.</summary>
    public static ResourceBuilder AddIdentity(this ResourceBuilder resource, ServiceIdentity identity, IConfiguration configuration)
    {
        var attributes = configuration["OTEL_RESOURCE_ATTRIBUTES"];
        var missing = new List<KeyValuePair<string, object>>(2);
        if (string.IsNullOrWhiteSpace(configuration["OTEL_SERVICE_NAME"]) && ServiceIdentity.Attribute(attributes, "service.name") is null)
        {
            missing.Add(new("service.name", identity.Service));
        }

        if (ServiceIdentity.Attribute(attributes, "service.instance.id") is null)
        {
            missing.Add(new("service.instance.id", identity.InstanceId));
        }

        return resource.AddAttributes(missing);
    }
}
