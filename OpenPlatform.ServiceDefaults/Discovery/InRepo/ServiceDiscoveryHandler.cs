using System.Net;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>Sends each request to the next endpoint of the service that its URL names.</summary>
internal sealed class ServiceDiscoveryHandler(ServiceEndpointResolver resolver, ServiceDiscoveryOptions options) : DelegatingHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var asked = request.RequestUri ?? throw new InvalidOperationException("A request needs a URL.");
        var endpoint = await resolver.PickAsync(asked.GetLeftPart(UriPartial.Authority), cancellationToken);
        request.RequestUri = Rewrite(asked, endpoint.EndPoint, options);
        request.Headers.Host ??= endpoint.Features.Get<IHostNameFeature>()?.HostName;
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        finally
        {
            // A retry further out sends the same message: it must ask again, and may get another endpoint.
            request.RequestUri = asked;
        }
    }

    internal static Uri Rewrite(Uri asked, EndPoint endpoint, ServiceDiscoveryOptions options)
    {
        if (endpoint is UriEndPoint { Uri: var url })
        {
            var result = new UriBuilder(asked) { Scheme = url.Scheme, Host = url.Host, Port = url.Port };
            if (url.AbsolutePath.Length > 1)
            {
                result.Path = $"{url.AbsolutePath.TrimEnd('/')}/{asked.AbsolutePath.TrimStart('/')}";
            }

            return result.Uri;
        }

        var (host, port) = endpoint switch
        {
            IPEndPoint ip => (ip.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{ip.Address}]" : ip.Address.ToString(), ip.Port),
            DnsEndPoint dns => (dns.Host, dns.Port),
            _ => throw new InvalidOperationException($"Endpoints of type {endpoint.GetType()} cannot be called over HTTP."),
        };
        var scheme = asked.Scheme;
        if (scheme.Contains('+', StringComparison.Ordinal))
        {
            var first = scheme.Split('+')[0];
            scheme = options.AllowAllSchemes || options.AllowedSchemes.Contains(first, StringComparer.OrdinalIgnoreCase) ? first : options.AllowedSchemes[0];
        }

        // -1 is the scheme's own port: "https+http" has none that could be kept.
        return new UriBuilder(asked) { Scheme = scheme, Host = host, Port = port > 0 ? port : asked.IsDefaultPort ? -1 : asked.Port }.Uri;
    }
}
