using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using OpenPlatform.ServiceDefaults.Health;
using OpenPlatform.ServiceDefaults.Instances;

namespace Microsoft.Extensions.Hosting;

/// <summary>Registers both sides of the instance registry.</summary>
public static class LeaseServices
{
    /// <summary>
    /// Registers this instance in Redis (<c>ConnectionStrings:redis</c>, or the connection that <c>AddRedisClient</c> named) while it is
    /// healthy, and drains it gracefully. Without <c>OpenPlatform:Leases:Key</c> or a connection string it runs unregistered and says so.
    /// Needs <c>AddServiceDefaults()</c>.
    /// </summary>
    public static void AddInstanceLease(this IHostApplicationBuilder builder)
    {
        builder.AddRedisRegistration("redis");
        builder.AddLeaseCommons();
        builder.AddServiceIdentity();
        builder.AddDefaultHealthChecks();
        builder.Services.AddHostedService<LeaseHeartbeat>();
    }

    /// <summary>Registers <see cref="ILeaseRegistry"/>, which believes leases signed with <c>OpenPlatform:Leases:Keys:&lt;service&gt;</c>.
    /// Needs <c>AddRedisClient</c>.</summary>
    public static void AddLeaseRegistry(this IHostApplicationBuilder builder)
    {
        builder.AddLeaseCommons();
        builder.Services.TryAddSingleton<ILeaseRegistry, LeaseRegistry>();
    }

    private static void AddLeaseCommons(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptionsWithValidateOnStart<LeaseOptions, LeaseOptionsValidator>().BindConfiguration(LeaseOptions.Section);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<LeaseOptions>, LeaseOptionsRules>());
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.TryAddSingleton<LeaseMetrics>();
    }
}
