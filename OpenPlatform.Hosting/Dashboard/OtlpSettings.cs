using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace OpenPlatform.Hosting.Dashboard
{
    /// <summary>Tells every project, and whatever else asks for it, who it is and where its telemetry goes. What the model sets itself wins.</summary>
    /// <param name="dashboard">Null when there is none; then telemetry goes where <c>ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL</c> says, if it says so.</param>
    internal sealed class OtlpSettings(IConfiguration configuration, IHostEnvironment environment, DashboardSettings? dashboard = null) : IDistributedApplicationEventingSubscriber
    {
        public Task SubscribeAsync(IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken)
        {
            eventing.Subscribe<BeforeStartEvent>((started, _) =>
            {
                foreach (var resource in started.Model.Resources.Where(r => r is ProjectResource || r.HasAnnotationOfType<OtlpExporterAnnotation>()))
                {
                    resource.Annotations.Insert(0, new EnvironmentCallbackAnnotation(Set));
                }
                return Task.CompletedTask;
            });
            return Task.CompletedTask;
        }

        private void Set(Dictionary<string, object> variables)
        {
            if ((dashboard?.OtlpGrpc.Url ?? configuration["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"]) is { Length: > 0 } endpoint)
            {
                variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint;
                variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc";
                if ((dashboard is null ? configuration["AppHost:OtlpApiKey"] : dashboard.OtlpKey) is { Length: > 0 } key)
                {
                    variables["OTEL_EXPORTER_OTLP_HEADERS"] = $"x-otlp-api-key={key}";
                }
            }
            // The orchestrator fills these in: each replica has its own instance id.
            variables["OTEL_SERVICE_NAME"] = "{{- index .Annotations \"otel-service-name\" -}}";
            variables["OTEL_RESOURCE_ATTRIBUTES"] = "service.instance.id={{- index .Annotations \"otel-service-instance-id\" -}}";
            if (!environment.IsDevelopment())
            {
                return;
            }
            // A developer wants to see it at once, and all of it. Milliseconds.
            variables["OTEL_BLRP_SCHEDULE_DELAY"] = variables["OTEL_BSP_SCHEDULE_DELAY"] = variables["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
            variables["OTEL_TRACES_SAMPLER"] = "always_on";
            variables["OTEL_METRICS_EXEMPLAR_FILTER"] = "trace_based";
            variables["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true";
        }
    }
}

namespace Aspire.Hosting.ApplicationModel
{
    /// <summary>The resource sends telemetry to the dashboard.</summary>
    public class OtlpExporterAnnotation : IResourceAnnotation;
}

namespace Aspire.Hosting
{
    public static class OtlpConfigurationExtensions
    {
        /// <summary>Gives a resource that is no project (those have it) the settings to send its telemetry to the dashboard.</summary>
        public static IResourceBuilder<T> WithOtlpExporter<T>(this IResourceBuilder<T> builder) where T : IResourceWithEnvironment =>
            builder.WithAnnotation(new OtlpExporterAnnotation(), ResourceAnnotationMutationBehavior.Replace);
    }
}
