using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>Settings of the provider that reads endpoints from configuration.</summary>
public sealed class ConfigurationServiceEndpointProviderOptions
{
    /// <summary>Section that holds the services. Default <c>Services</c>.</summary>
    public string SectionName { get; set; } = "Services";

    /// <summary>Whether the service's name is sent as Host to an endpoint. Default no.</summary>
    public Func<ServiceEndpoint, bool> ShouldApplyHostNameMetadata { get; set; } = _ => false;
}

/// <summary>
/// Reads <c>Services:&lt;service&gt;:&lt;endpoint&gt;:&lt;n&gt;</c> (in the environment <c>services__catalog__http__0</c>) or a single value without
/// the number. Without an endpoint name the first of <c>default</c> and the requested schemes that exists is taken.
/// </summary>
internal sealed class ConfigurationEndpoints(
    ServiceEndpointQuery query, IConfiguration configuration, ConfigurationServiceEndpointProviderOptions options, ServiceDiscoveryOptions discovery)
    : IServiceEndpointProvider, IHostNameFeature
{
    public string HostName => query.ServiceName;

    public ValueTask PopulateAsync(IServiceEndpointBuilder endpoints, CancellationToken cancellationToken)
    {
        if (endpoints.Endpoints.Count > 0)
        {
            return default;
        }

        endpoints.AddChangeToken(configuration.GetReloadToken());
        var schemes = discovery.ApplyAllowedSchemes(query.IncludedSchemes);
        var service = configuration.GetSection(options.SectionName).GetSection(query.ServiceName);
        IEnumerable<string> names = query.EndpointName is { } name ? [name] : ["default", .. schemes];
        if (names.Select(service.GetSection).FirstOrDefault(section => section.Exists()) is not { } chosen)
        {
            return default;
        }

        var found = Read(chosen).ToList();
        foreach (var endpoint in discovery.AllowAllSchemes && query.IncludedSchemes.Count == 0 ? found : OfBestScheme(found, schemes))
        {
            endpoints.Endpoints.Add(endpoint);
        }

        return default;
    }

    private IEnumerable<ServiceEndpoint> Read(IConfigurationSection section)
    {
        // Numeric order: with ten instances "10" comes after "9".
        IEnumerable<IConfigurationSection> values = string.IsNullOrWhiteSpace(section.Value)
            ? section.GetChildren().OrderBy(child => int.TryParse(child.Key, NumberStyles.None, CultureInfo.InvariantCulture, out var n)
                ? n
                : throw new KeyNotFoundException($"{child.Path} is not a number: endpoints are listed as {section.Path}:0, {section.Path}:1, …"))
            : [section];
        foreach (var value in values)
        {
            if (!ServiceEndpoint.TryParse(value.Value, out var endpoint))
            {
                throw new KeyNotFoundException($"{value.Path} is not an address. Expected host:port or a URL.");
            }

            if (options.ShouldApplyHostNameMetadata(endpoint))
            {
                endpoint.Features.Set<IHostNameFeature>(this);
            }

            yield return endpoint;
        }
    }

    /// <summary>URLs of the most wanted scheme that any of them has; addresses without a scheme fit each.</summary>
    private static IEnumerable<ServiceEndpoint> OfBestScheme(List<ServiceEndpoint> found, IReadOnlyList<string> schemes)
    {
        var best = schemes.FirstOrDefault(scheme => found.Any(endpoint => endpoint.EndPoint is UriEndPoint { Uri.Scheme: var s } && s == scheme));
        return found.Where(endpoint => endpoint.EndPoint is not UriEndPoint { Uri.Scheme: var s } || s == best);
    }

    public ValueTask DisposeAsync() => default;

    internal sealed class Factory(
        IConfiguration configuration, IOptions<ConfigurationServiceEndpointProviderOptions> options, IOptions<ServiceDiscoveryOptions> discovery)
        : IServiceEndpointProviderFactory
    {
        public bool TryCreateProvider(ServiceEndpointQuery query, [NotNullWhen(true)] out IServiceEndpointProvider? provider)
        {
            provider = new ConfigurationEndpoints(query, configuration, options.Value, discovery.Value);
            return true;
        }
    }
}

/// <summary>Where nobody knows a service its name is taken for its address, so that ordinary URLs go on working.</summary>
internal sealed class PassThroughEndpoints(System.Net.EndPoint endPoint) : IServiceEndpointProvider
{
    public ValueTask PopulateAsync(IServiceEndpointBuilder endpoints, CancellationToken cancellationToken)
    {
        if (endpoints.Endpoints.Count == 0)
        {
            endpoints.Endpoints.Add(ServiceEndpoint.Create(endPoint));
        }

        return default;
    }

    public ValueTask DisposeAsync() => default;

    internal sealed class Factory : IServiceEndpointProviderFactory
    {
        public bool TryCreateProvider(ServiceEndpointQuery query, [NotNullWhen(true)] out IServiceEndpointProvider? provider)
        {
            var name = query.ToString();
            var port = Uri.TryCreate(name.Contains("://", StringComparison.Ordinal) ? name : $"endpoint://{name}", UriKind.Absolute, out var uri)
                ? Math.Max(uri.Port, 0)
                : 0;
            var host = query.ServiceName.Trim('[', ']');
            provider = new PassThroughEndpoints(System.Net.IPAddress.TryParse(host, out var address)
                ? new System.Net.IPEndPoint(address, port)
                : new System.Net.DnsEndPoint(host, port));
            return true;
        }
    }
}
