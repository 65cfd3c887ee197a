using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>Endpoints of services by name. The first question for a name waits for its providers; later ones never do.</summary>
public sealed class ServiceEndpointResolver : IAsyncDisposable
{
    /// <summary>Names kept at once; beyond it the longest unused is forgotten (a client may call any number of ordinary hosts).</summary>
    private const int MaxViews = 1024;

    private readonly ConcurrentDictionary<string, ServiceView> _views = new(StringComparer.OrdinalIgnoreCase);
    private readonly IServiceEndpointProviderFactory[] _factories;
    private readonly ServiceDiscoveryOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    internal ServiceEndpointResolver(
        IEnumerable<IServiceEndpointProviderFactory> factories, IOptions<ServiceDiscoveryOptions> options, TimeProvider time, ILogger<ServiceEndpointResolver> logger)
    {
        _factories = [.. factories.OrderBy(factory => factory is PassThroughEndpoints.Factory)];
        _options = options.Value;
        _time = time;
        _logger = logger;
    }

    /// <param name="serviceName">For example <c>https+http://_admin.catalog</c>.</param>
    /// <param name="cancellationToken">Gives up waiting for the first answer.</param>
    /// <exception cref="InvalidOperationException">No provider knows the name.</exception>
    public ValueTask<ServiceEndpointSource> GetEndpointsAsync(string serviceName, CancellationToken cancellationToken) =>
        View(serviceName).GetAsync(cancellationToken);

    /// <summary>The next endpoint in turn.</summary>
    /// <exception cref="InvalidOperationException">The service has none.</exception>
    internal async ValueTask<ServiceEndpoint> PickAsync(string serviceName, CancellationToken cancellationToken)
    {
        var view = View(serviceName);
        return view.Pick(await view.GetAsync(cancellationToken));
    }

    private ServiceView View(string serviceName)
    {
        if (_views.TryGetValue(serviceName, out var view))
        {
            return view;
        }

        if (_views.Count >= MaxViews && _views.MinBy(entry => entry.Value.LastUsed) is var oldest && _views.TryRemove(oldest))
        {
            _ = oldest.Value.DisposeAsync().AsTask();
        }

        return _views.GetOrAdd(serviceName, Create);
    }

    private ServiceView Create(string serviceName)
    {
        if (!ServiceEndpointQuery.TryParse(serviceName, out var query))
        {
            throw new ArgumentException($"'{serviceName}' is not the name of a service. Expected scheme://name.", nameof(serviceName));
        }

        var providers = new List<IServiceEndpointProvider>();
        foreach (var factory in _factories)
        {
            if (factory.TryCreateProvider(query, out var provider))
            {
                providers.Add(provider);
            }
        }

        return providers.Count > 0
            ? new ServiceView(serviceName, [.. providers], _options.RefreshPeriod, _time, _logger)
            : throw new InvalidOperationException($"No service discovery provider knows '{serviceName}'.");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var view in _views.Values)
        {
            await view.DisposeAsync();
        }

        _views.Clear();
    }
}
