using Aspire.Hosting.Eventing;
using Microsoft.Extensions.DependencyInjection;

namespace OpenPlatform.Hosting;

internal static class ModelServices
{
    /// <summary>What keeps the application's state in run mode: values, health, lines on the console.</summary>
    internal static IServiceCollection AddModel(this IServiceCollection services, HostingOptions options)
    {
        services.AddHttpClient(ResourceHealthMonitor.HttpClientName).ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            // The development certificate of a service on this machine may not be trusted; that does not make the service unhealthy.
            SslOptions = { RemoteCertificateValidationCallback = (sender, _, _, errors) =>
                errors == System.Net.Security.SslPolicyErrors.None || sender is System.Net.Security.SslStream { TargetHostName: "localhost" or "127.0.0.1" } },
        });
        services.AddSingleton<ValueResources>().AddSingleton<IDistributedApplicationEventingSubscriber>(s => s.GetRequiredService<ValueResources>());
        services.AddHostedService<ResourceHealthMonitor>();
        if (!options.Quiet)
        {
            services.AddHostedService<StartupConsole>();
        }
        return services;
    }
}
