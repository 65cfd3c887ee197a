using System.Net.Http.Headers;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http.Resilience;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.ServiceDefaults.Instances;

namespace OpenPlatform.Gateway.Snapshots;

internal static class SnapshotServices
{
    public static void AddSnapshots(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddActiveSnapshot();
        services.AddHttpClient(nameof(CatalogClient), client =>
        {
            client.BaseAddress = new("http://catalog");
            client.MaxResponseContentBufferSize = 256 << 20;
            client.DefaultRequestHeaders.Authorization =
                new AuthenticationHeaderValue("Bearer", builder.Configuration["OpenPlatform:ServiceToken"] ?? string.Empty);
        })
        .UseSocketsHttpHandler(static (handler, _) => handler.PooledConnectionLifetime = TimeSpan.FromMinutes(2))
        .SetHandlerLifetime(Timeout.InfiniteTimeSpan) // one client for the life of the process
        .ConfigureAdditionalHttpMessageHandlers(static (handlers, _) =>
        {
            // The poll is the retry: a back-off inside a call would sleep through the catalog's return and through every poke.
            foreach (var resilience in handlers.Where(static handler => handler is ResilienceHandler).ToArray())
            {
                handlers.Remove(resilience);
            }
        });
        services.AddSingleton(static provider => new CatalogClient(
            provider.GetRequiredService<IHttpClientFactory>().CreateClient(nameof(CatalogClient)), provider.GetRequiredService<ServiceIdentity>().InstanceId));
        services.AddSingleton<QuotaHistory>();
        services.AddHostedService<SnapshotRefresher>();
        services.AddHostedService<Acknowledgements>();
        services.AddHostedService<Instances.InstanceReports>();
    }

    /// <summary>The snapshot in force, wherever it comes from.</summary>
    public static void AddActiveSnapshot(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddOptionsWithValidateOnStart<SnapshotOptions, SnapshotOptionsValidator>().BindConfiguration(SnapshotOptions.Section);
        services.AddSingleton(static provider => new ManifestSigner(provider.GetRequiredService<IConfiguration>()["OpenPlatform:ServiceToken"] ?? string.Empty));
        services.AddSingleton<ShardFiles>();
        services.AddSingleton<ActiveSnapshot>();
        services.AddHealthChecks().AddCheck<SnapshotHealthCheck>("snapshot");
    }
}
