using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using OpenPlatform.Hosting.Dashboard;

namespace OpenPlatform.Hosting;

internal static class DashboardServices
{
    internal static IServiceCollection AddDashboard(this IServiceCollection services, IConfigurationManager configuration)
    {
        DashboardSettings.ChooseBrowserToken(configuration);
        services.AddSingleton<DashboardSettings>();
        services.AddSingleton<ResourceService>();
        services.AddSingleton<ResourceServiceHost>();
        services.AddSingleton<IDistributedApplicationEventingSubscriber, DashboardResource>();
        services.AddSingleton<DashboardHealthCheck>();
        services.AddHealthChecks().AddCheck<DashboardHealthCheck>(DashboardHealthCheck.Key);
        return services;
    }

    /// <summary>Also without a dashboard: services learn their own name here.</summary>
    internal static IServiceCollection AddOtlpSettings(this IServiceCollection services)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IDistributedApplicationEventingSubscriber, OtlpSettings>());
        return services;
    }
}
