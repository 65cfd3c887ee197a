using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace OpenPlatform.AppHost;

/// <summary>What a person needs after the start, printed once everything is healthy: addresses, keys and a call to paste.</summary>
internal static class Welcome
{
    public static void AddWelcome(
        this IDistributedApplicationBuilder builder, IResourceBuilder<ProjectResource> gateway, IResourceBuilder<ProjectResource> catalog,
        IResourceBuilder<ParameterResource> demoKey, IResourceBuilder<ParameterResource> adminToken)
    {
        if (!builder.ExecutionContext.IsRunMode)
        {
            return;
        }

        // The gateway waits for everything else, so when all of it is healthy, everything is.
        builder.Eventing.Subscribe<ResourceReadyEvent>(gateway.Resource, async (ready, cancellationToken) =>
        {
            await UntilAllReplicasAreHealthyAsync(ready.Services.GetRequiredService<ResourceNotificationService>(), gateway.Resource, cancellationToken);
            var gatewayUrl = await gateway.GetEndpoint("http").GetValueAsync(cancellationToken);
            var catalogUrl = await catalog.GetEndpoint("http").GetValueAsync(cancellationToken);
            var key = await demoKey.Resource.GetValueAsync(cancellationToken);
            var token = await adminToken.Resource.GetValueAsync(cancellationToken);

            // The two secrets are printed on purpose, to the terminal of the person who started this and nowhere else: never to a log.
            await Console.Out.WriteLineAsync($"""

                OpenPlatform is ready.

                  Dashboard    {DashboardLogin(builder.Configuration) ?? "off"}
                  Gateway      {gatewayUrl}
                  Catalog      {catalogUrl}   (API description: {catalogUrl}/openapi/v1.json)
                  Demo key     {key}
                  Admin token  {token}

                  curl -H "X-Api-Key: {key}" {gatewayUrl}/orders/v1/orders

                Ctrl-C stops everything.

                """.AsMemory(), cancellationToken);
        });
    }

    private static async Task UntilAllReplicasAreHealthyAsync(
        ResourceNotificationService notifications, ProjectResource resource, CancellationToken cancellationToken)
    {
        var healthy = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var update in notifications.WatchAsync(cancellationToken))
        {
            if (update.Resource == resource && update.Snapshot.HealthStatus == HealthStatus.Healthy
                && healthy.Add(update.ResourceId) && healthy.Count >= resource.GetReplicaCount())
            {
                return;
            }
        }
    }

    /// <summary>The address that logs in without a prompt, put together as Aspire does; null when there is no dashboard.</summary>
    private static string? DashboardLogin(IConfiguration configuration)
    {
        var url = configuration["ASPNETCORE_URLS"]?.Split(';', 2)[0].TrimEnd('/');
        var token = configuration["AppHost:BrowserToken"];
        return string.IsNullOrEmpty(url) ? null : string.IsNullOrEmpty(token) ? url : $"{url}/login?t={token}";
    }
}
