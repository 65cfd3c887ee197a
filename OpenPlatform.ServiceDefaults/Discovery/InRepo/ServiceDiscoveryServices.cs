using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.ServiceDiscovery;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Service discovery with the names, defaults and namespaces of Microsoft.Extensions.ServiceDiscovery.</summary>
public static class ServiceDiscoveryServiceCollectionExtensions
{
    /// <summary>Discovery from configuration; a name that is not configured is its own address.</summary>
    public static IServiceCollection AddServiceDiscovery(this IServiceCollection services) => services
        .AddServiceDiscoveryCore().AddConfigurationServiceEndpointProvider().AddPassThroughServiceEndpointProvider();

    public static IServiceCollection AddServiceDiscovery(this IServiceCollection services, Action<ServiceDiscoveryOptions> configureOptions) => services
        .AddServiceDiscoveryCore(configureOptions).AddConfigurationServiceEndpointProvider().AddPassThroughServiceEndpointProvider();

    public static IServiceCollection AddServiceDiscoveryCore(this IServiceCollection services) => services.AddServiceDiscoveryCore(_ => { });

    /// <summary>Discovery without any provider.</summary>
    public static IServiceCollection AddServiceDiscoveryCore(this IServiceCollection services, Action<ServiceDiscoveryOptions> configureOptions)
    {
        services.AddLogging();
        services.AddOptions<ServiceDiscoveryOptions>()
            .Configure(configureOptions)
            .Validate(o => o.AllowAllSchemes || o.AllowedSchemes.Count > 0, "ServiceDiscoveryOptions.AllowedSchemes must not be empty when AllowAllSchemes is false.")
            .Validate(o => o.RefreshPeriod > TimeSpan.Zero, "ServiceDiscoveryOptions.RefreshPeriod must be positive.");
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(provider => new ServiceEndpointResolver(
            provider.GetServices<IServiceEndpointProviderFactory>(), provider.GetRequiredService<IOptions<ServiceDiscoveryOptions>>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<ServiceEndpointResolver>>()));
        return services;
    }

    public static IServiceCollection AddConfigurationServiceEndpointProvider(this IServiceCollection services) =>
        services.AddConfigurationServiceEndpointProvider(_ => { });

    public static IServiceCollection AddConfigurationServiceEndpointProvider(
        this IServiceCollection services, Action<ConfigurationServiceEndpointProviderOptions> configureOptions)
    {
        services.AddServiceDiscoveryCore();
        services.Configure(configureOptions);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IServiceEndpointProviderFactory, ConfigurationEndpoints.Factory>());
        return services;
    }

    public static IServiceCollection AddPassThroughServiceEndpointProvider(this IServiceCollection services)
    {
        services.AddServiceDiscoveryCore();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IServiceEndpointProviderFactory, PassThroughEndpoints.Factory>());
        return services;
    }
}

public static class ServiceDiscoveryHttpClientBuilderExtensions
{
    /// <summary>Lets the client call services by name: <c>http://catalog</c>, <c>https+http://catalog</c>, <c>http://_admin.catalog</c>.</summary>
    public static IHttpClientBuilder AddServiceDiscovery(this IHttpClientBuilder httpClientBuilder)
    {
        httpClientBuilder.Services.AddServiceDiscoveryCore();
        return httpClientBuilder.AddHttpMessageHandler(services => new ServiceDiscoveryHandler(
            services.GetRequiredService<ServiceEndpointResolver>(), services.GetRequiredService<IOptions<ServiceDiscoveryOptions>>().Value));
    }
}
