using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using Microsoft.Extensions.ServiceDiscovery;
using OpenPlatform.ServiceDefaults.Instances;
using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.ServiceDefaults.Discovery;

/// <summary>
/// Service discovery from the lease registry, for the services whose key is known. Asks every second and at every announced change;
/// an empty or failed answer keeps the endpoints found before.
/// </summary>
internal sealed class LeaseEndpoints : IServiceEndpointProvider
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly string _service;
    private readonly ILeaseRegistry _registry;
    private readonly TimeProvider _time;
    private readonly IDisposable _subscription;
    private IReadOnlyList<ServiceEndpoint> _last = [];
    private CancellationTokenSource _askAgain = new();

    private LeaseEndpoints(string service, ILeaseRegistry registry, TimeProvider time)
    {
        _service = service;
        _registry = registry;
        _time = time;
        _subscription = registry.Subscribe(changed =>
        {
            if (changed == service)
            {
                Volatile.Read(ref _askAgain).Cancel();
            }
        });
    }

    public async ValueTask PopulateAsync(IServiceEndpointBuilder endpoints, CancellationToken cancellationToken)
    {
        // The token first: a change announced while we read asks again.
        var token = new CancellationTokenSource(Period, _time);
        Volatile.Write(ref _askAgain, token);
        endpoints.AddChangeToken(new CancellationChangeToken(token.Token));
        if (endpoints.Endpoints.Count > 0)
        {
            return;
        }

        try
        {
            var leases = await _registry.ReadAsync(_service, cancellationToken);
            var ready = leases.Where(lease => lease.Status == InstanceStatus.Ready).Select(lease => ServiceEndpoint.Create(new UriEndPoint(lease.Address))).ToArray();
            if (ready.Length > 0)
            {
                _last = ready;
            }
        }
        catch (RedisUnavailableException)
        {
            // The view we have is the best there is.
        }

        foreach (var endpoint in _last)
        {
            endpoints.Endpoints.Add(endpoint);
        }
    }

    public ValueTask DisposeAsync()
    {
        _subscription.Dispose();
        return default;
    }

    internal sealed class Factory(ILeaseRegistry registry, IOptions<LeaseOptions> options, TimeProvider time) : IServiceEndpointProviderFactory
    {
        public bool TryCreateProvider(ServiceEndpointQuery query, [NotNullWhen(true)] out IServiceEndpointProvider? provider)
        {
            // An instance has one leased address: named endpoints are found elsewhere.
            provider = query.EndpointName is null && options.Value.Keys.ContainsKey(query.ServiceName)
                ? new LeaseEndpoints(query.ServiceName, registry, time)
                : null;
            return provider is not null;
        }
    }
}
