using Microsoft.Extensions.ServiceDiscovery;
using OpenPlatform.ServiceDefaults.Discovery;

namespace Microsoft.Extensions.DependencyInjection;

public static class LeaseDiscoveryServices
{
    /// <summary>Finds services in the lease registry first and elsewhere only when it has never known one. Needs <c>AddLeaseRegistry()</c>.</summary>
    public static IServiceCollection AddLeaseServiceEndpointProvider(this IServiceCollection services)
    {
        if (!services.Any(service => service.ImplementationType == typeof(LeaseEndpoints.Factory)))
        {
            // In front of the others, which add nothing where it has found something.
            services.Insert(0, ServiceDescriptor.Singleton<IServiceEndpointProviderFactory, LeaseEndpoints.Factory>());
        }

        return services;
    }
}
