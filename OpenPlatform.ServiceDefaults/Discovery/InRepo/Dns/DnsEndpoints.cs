using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using Microsoft.Extensions.ServiceDiscovery;
using Microsoft.Extensions.ServiceDiscovery.Dns;
using OpenPlatform.ServiceDefaults.Discovery.Dns;

namespace OpenPlatform.ServiceDefaults.Discovery.InRepo.Dns;

/// <summary>
/// The common part of the two DNS providers: asks again when the answer's time to live is over, sooner after a failure, and keeps what it
/// found when an answer is empty or fails.
/// </summary>
internal abstract class DnsEndpoints(DnsRefreshOptions options, TimeProvider time) : IServiceEndpointProvider
{
    private IReadOnlyList<ServiceEndpoint> _last = [];
    private TimeSpan _retry = options.MinRetryPeriod;

    public async ValueTask PopulateAsync(IServiceEndpointBuilder endpoints, CancellationToken cancellationToken)
    {
        if (endpoints.Endpoints.Count > 0)
        {
            return;
        }

        TimeSpan wait;
        Exception? failure = null;
        try
        {
            var (found, timeToLive) = await AskAsync(cancellationToken);
            if (found.Count > 0)
            {
                _last = found;
                _retry = options.MinRetryPeriod;
                wait = timeToLive < options.MinRetryPeriod ? options.MinRetryPeriod
                    : timeToLive < options.DefaultRefreshPeriod ? timeToLive : options.DefaultRefreshPeriod;
            }
            else
            {
                wait = Retry();
            }
        }
        catch (Exception e) when (e is DnsException or SocketException)
        {
            failure = e;
            wait = Retry();
        }

        if (failure is not null && _last.Count == 0)
        {
            throw new InvalidOperationException(failure.Message, failure);
        }

        // The source is not disposed: its timer ends with it, and the token outlives this call.
        endpoints.AddChangeToken(new CancellationChangeToken(new CancellationTokenSource(wait, time).Token));
        foreach (var endpoint in _last)
        {
            endpoints.Endpoints.Add(endpoint);
        }
    }

    public ValueTask DisposeAsync() => default;

    protected abstract Task<(IReadOnlyList<ServiceEndpoint> Found, TimeSpan TimeToLive)> AskAsync(CancellationToken cancellationToken);

    private TimeSpan Retry()
    {
        var wait = _retry;
        _retry = wait * options.RetryBackOffFactor < options.MaxRetryPeriod ? wait * options.RetryBackOffFactor : options.MaxRetryPeriod;
        return wait;
    }
}

/// <summary>Addresses (A and AAAA) of the service's name, by the system's resolver. The port is the scheme's or the URL's own.</summary>
internal sealed class DnsAddressEndpoints(ServiceEndpointQuery query, DnsServiceEndpointProviderOptions options, TimeProvider time) : DnsEndpoints(options, time)
{
    protected override async Task<(IReadOnlyList<ServiceEndpoint> Found, TimeSpan TimeToLive)> AskAsync(CancellationToken cancellationToken)
    {
        var port = Uri.TryCreate(query.ToString(), UriKind.Absolute, out var uri) ? Math.Max(uri.Port, 0) : 0;
        var addresses = await System.Net.Dns.GetHostAddressesAsync(query.ServiceName, cancellationToken);
        return ([.. addresses.Select(address => ServiceEndpoint.Create(new IPEndPoint(address, port)))], options.DefaultRefreshPeriod);
    }

    internal sealed class Factory(IOptionsMonitor<DnsServiceEndpointProviderOptions> options, TimeProvider time) : IServiceEndpointProviderFactory
    {
        public bool TryCreateProvider(ServiceEndpointQuery query, [NotNullWhen(true)] out IServiceEndpointProvider? provider)
        {
            provider = new DnsAddressEndpoints(query, options.CurrentValue, time);
            return true;
        }
    }
}

/// <summary>Host and port by SRV record: <c>_&lt;endpoint&gt;._tcp.&lt;service&gt;.&lt;suffix&gt;</c>. Only the records of the best priority count;
/// their weights do not (requests go in turn).</summary>
internal sealed class DnsSrvEndpoints(string name, DnsClient client, DnsSrvServiceEndpointProviderOptions options, TimeProvider time) : DnsEndpoints(options, time)
{
    protected override async Task<(IReadOnlyList<ServiceEndpoint> Found, TimeSpan TimeToLive)> AskAsync(CancellationToken cancellationToken)
    {
        var answer = await client.ServicesAsync(name, cancellationToken);
        var best = answer.Services.Select(service => service.Priority).DefaultIfEmpty().Min();
        return ([.. answer.Services.Where(service => service.Priority == best).SelectMany(Endpoints).Select(endpoint => ServiceEndpoint.Create(endpoint))], answer.TimeToLive);
    }

    private static IEnumerable<EndPoint> Endpoints(DnsService service) => service.Addresses.Count > 0
        ? service.Addresses.Select(address => new IPEndPoint(address, service.Port))
        : [new DnsEndPoint(service.Target, service.Port)];

    internal sealed class Factory(IOptionsMonitor<DnsSrvServiceEndpointProviderOptions> options, IOptions<DnsResolverOptions> resolver, TimeProvider time)
        : IServiceEndpointProviderFactory
    {
        public bool TryCreateProvider(ServiceEndpointQuery query, [NotNullWhen(true)] out IServiceEndpointProvider? provider)
        {
            // Without a suffix there is no domain to look in; plain host names and addresses are not service names.
            var settings = options.CurrentValue;
            provider = null;
            if ((settings.QuerySuffix ?? ResolvConf.SearchDomainInKubernetes()) is { } suffix && !IPAddress.TryParse(query.ServiceName, out _))
            {
                var name = settings.ServiceDomainNameCallback?.Invoke(query) ?? $"_{query.EndpointName ?? "default"}._tcp.{query.ServiceName}.{suffix.Trim('.')}";
                var servers = resolver.Value.Servers.Count > 0 ? [.. resolver.Value.Servers] : ResolvConf.NameServers();
                provider = new DnsSrvEndpoints(name, new DnsClient(servers, resolver.Value.Timeout, resolver.Value.MaxAttempts, time), settings, time);
            }

            return provider is not null;
        }
    }
}
