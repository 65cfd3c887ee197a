using System.Net.Http.Headers;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace OpenPlatform.Gateway.Snapshots;

internal static class SnapshotServices
{
    public static void AddSnapshots(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddOptionsWithValidateOnStart<SnapshotOptions, SnapshotOptionsValidator>().BindConfiguration(SnapshotOptions.Section);
        services.AddSingleton<ActiveSnapshot>();
        services.AddHttpClient(nameof(CatalogClient), client =>
        {
            client.BaseAddress = new(builder.Configuration["services:catalog:http:0"] ?? "http://catalog");
            client.MaxResponseContentBufferSize = 256 << 20;
            client.DefaultRequestHeaders.Authorization =
                new AuthenticationHeaderValue("Bearer", builder.Configuration["OpenPlatform:ServiceToken"] ?? string.Empty);
        });
        services.AddSingleton(static provider => new CatalogClient(provider.GetRequiredService<IHttpClientFactory>().CreateClient(nameof(CatalogClient))));
        services.AddHostedService<SnapshotRefresher>();
        services.AddHealthChecks().AddCheck<SnapshotHealthCheck>("snapshot");
    }
}
