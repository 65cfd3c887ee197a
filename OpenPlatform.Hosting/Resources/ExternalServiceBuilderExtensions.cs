using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using OpenPlatform.Hosting;

namespace Aspire.Hosting;

/// <summary>Services that are not part of the application as resources.</summary>
public static class ExternalServiceBuilderExtensions
{
    public static IResourceBuilder<ExternalServiceResource> AddExternalService(this IDistributedApplicationBuilder builder, string name, string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri)
            ? builder.AddExternalService(name, uri)
            : throw new ArgumentException($"The URL '{url}' of external service '{name}' is not an absolute URL.", nameof(url));

    public static IResourceBuilder<ExternalServiceResource> AddExternalService(this IDistributedApplicationBuilder builder, string name, Uri uri) =>
        Add(builder, new(name, uri)).WithUrl(uri.ToString());

    public static IResourceBuilder<ExternalServiceResource> AddExternalService(this IDistributedApplicationBuilder builder, string name, IResourceBuilder<ParameterResource> urlParameter) =>
        Add(builder, new(name, urlParameter.Resource)).WithUrl(ReferenceExpression.Create($"{urlParameter}"));

    public static IResourceBuilder<ExternalServiceResource> WithHttpHealthCheck(this IResourceBuilder<ExternalServiceResource> builder, string? path = null, int? statusCode = null)
    {
        var service = builder.Resource;
        var key = $"{service.Name}_external_{path}_{statusCode ?? 200}_check";
        builder.ApplicationBuilder.Services.AddHealthChecks().Add(new(key, services => new ExternalServiceCheck(service, path, statusCode ?? 200, services.GetRequiredService<IHttpClientFactory>()), failureStatus: null, tags: null));
        return builder.WithHealthCheck(key);
    }

    private static IResourceBuilder<ExternalServiceResource> Add(IDistributedApplicationBuilder builder, ExternalServiceResource service) =>
        builder.AddResource(service).ExcludeFromManifest().WithInitialState(new() { ResourceType = "ExternalService", State = KnownResourceStates.Waiting, Properties = [] });

    private sealed class ExternalServiceCheck(ExternalServiceResource service, string? path, int statusCode, IHttpClientFactory http) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            var uri = service.Uri ?? ExternalServiceResource.Parse(service, await service.UrlParameter!.GetValueAsync(cancellationToken));
            using var client = http.CreateClient(ResourceHealthMonitor.HttpClientName);
            using var response = await client.GetAsync(path is null ? uri : new Uri(uri, path), HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return (int)response.StatusCode == statusCode
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy($"GET {path ?? "/"} was answered with {(int)response.StatusCode} instead of {statusCode}.");
        }
    }
}
