using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using OpenPlatform.ServiceDefaults.Discovery.InRepo.Dns;

namespace Microsoft.Extensions.ServiceDiscovery.Dns
{
    /// <summary>When DNS is asked again.</summary>
    public abstract class DnsRefreshOptions
    {
        /// <summary>Longest time between two questions; a shorter time to live of the answer wins. Default 1 min.</summary>
        public TimeSpan DefaultRefreshPeriod { get; set; } = TimeSpan.FromMinutes(1);

        /// <summary>First wait after a failure or an empty answer. Default 1 s.</summary>
        public TimeSpan MinRetryPeriod { get; set; } = TimeSpan.FromSeconds(1);

        /// <summary>Longest wait after failures. Default 30 s.</summary>
        public TimeSpan MaxRetryPeriod { get; set; } = TimeSpan.FromSeconds(30);

        /// <summary>Growth of the wait from failure to failure. Default 2.</summary>
        public double RetryBackOffFactor { get; set; } = 2;
    }

    /// <summary>Settings of the provider that asks for addresses.</summary>
    public class DnsServiceEndpointProviderOptions : DnsRefreshOptions;

    /// <summary>Settings of the provider that asks for SRV records.</summary>
    public class DnsSrvServiceEndpointProviderOptions : DnsRefreshOptions
    {
        /// <summary>Domain of the services; in Kubernetes the namespace's own when null, elsewhere the provider is then idle.</summary>
        public string? QuerySuffix { get; set; }

        /// <summary>The name to ask for; null for <c>_endpoint._tcp.service.suffix</c>.</summary>
        public Func<ServiceEndpointQuery, string>? ServiceDomainNameCallback { get; set; }
    }

    /// <summary>Settings of the DNS client.</summary>
    public class DnsResolverOptions
    {
        /// <summary>Name servers to ask, in order; those of the system when empty.</summary>
        public IList<IPEndPoint> Servers { get; set; } = [];

        /// <summary>Rounds over all servers. Default 2.</summary>
        public int MaxAttempts { get; set; } = 2;

        /// <summary>Wait for one server. Default 3 s.</summary>
        public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(3);
    }
}

namespace Microsoft.Extensions.Hosting
{
    using Microsoft.Extensions.ServiceDiscovery;
    using Microsoft.Extensions.ServiceDiscovery.Dns;

    /// <summary>DNS providers with the names of Microsoft.Extensions.ServiceDiscovery.Dns.</summary>
    public static class ServiceDiscoveryDnsServiceCollectionExtensions
    {
        public static IServiceCollection AddDnsServiceEndpointProvider(this IServiceCollection services) => services.AddDnsServiceEndpointProvider(_ => { });

        public static IServiceCollection AddDnsServiceEndpointProvider(this IServiceCollection services, Action<DnsServiceEndpointProviderOptions> configureOptions)
        {
            services.AddServiceDiscoveryCore();
            services.Configure(configureOptions);
            services.TryAddEnumerable(ServiceDescriptor.Singleton<IServiceEndpointProviderFactory, DnsAddressEndpoints.Factory>());
            return services;
        }

        public static IServiceCollection AddDnsSrvServiceEndpointProvider(this IServiceCollection services) => services.AddDnsSrvServiceEndpointProvider(_ => { });

        public static IServiceCollection AddDnsSrvServiceEndpointProvider(this IServiceCollection services, Action<DnsSrvServiceEndpointProviderOptions> configureOptions)
        {
            services.AddServiceDiscoveryCore();
            services.Configure(configureOptions);
            services.TryAddEnumerable(ServiceDescriptor.Singleton<IServiceEndpointProviderFactory, DnsSrvEndpoints.Factory>());
            return services;
        }

        public static IServiceCollection ConfigureDnsResolver(this IServiceCollection services, Action<DnsResolverOptions> configureOptions) =>
            services.Configure(configureOptions);
    }
}
