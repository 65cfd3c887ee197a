using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.HealthChecks;

namespace OpenPlatform.Gateway.Instances;

internal static class InstanceServices
{
    /// <summary>The instance tables, what fills them, and what watches over their health.</summary>
    public static void AddInstances(this IServiceCollection services)
    {
        services.AddOptionsWithValidateOnStart<InstanceOptions, InstanceOptionsValidator>().BindConfiguration(InstanceOptions.Section);
        services.AddSingleton<IValidateOptions<InstanceOptions>, InstanceOptionsRules>();
        services.AddSingleton<InstanceDirectory>().AddSingleton<GatewayCount>();
        services.AddHostedService<InstanceRefresher>().AddHostedService<FileSource>().AddHostedService<DnsSource>();
        services.AddHostedService<InstanceProber>();
    }
}
