using System.Diagnostics.CodeAnalysis;
using System.Net;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>One place where a service can be reached, and what is known of it.</summary>
public abstract class ServiceEndpoint
{
    /// <summary>An <see cref="IPEndPoint"/>, a <see cref="DnsEndPoint"/> or a <see cref="UriEndPoint"/>; port 0 means the scheme's own.</summary>
    public abstract EndPoint EndPoint { get; }

    public abstract IFeatureCollection Features { get; }

    public static ServiceEndpoint Create(EndPoint endPoint, IFeatureCollection? features = null) => new Plain(endPoint, features ?? new FeatureCollection());

    /// <summary>Reads <c>host</c>, <c>host:port</c>, an IP address with or without port, or a URL.</summary>
    public static bool TryParse([NotNullWhen(true)] string? value, [NotNullWhen(true)] out ServiceEndpoint? serviceEndpoint)
    {
        serviceEndpoint = null;
        if (string.IsNullOrWhiteSpace(value))
        {
            return false;
        }

        if (value.Contains("://", StringComparison.Ordinal))
        {
            if (Uri.TryCreate(value, UriKind.Absolute, out var url))
            {
                serviceEndpoint = Create(new UriEndPoint(url));
            }
        }
        else if (HostAndPort.TryParse(value, out var host))
        {
            serviceEndpoint = Create(host);
        }

        return serviceEndpoint is not null;
    }

    private sealed class Plain(EndPoint endPoint, IFeatureCollection features) : ServiceEndpoint
    {
        public override EndPoint EndPoint => endPoint;

        public override IFeatureCollection Features => features;

        public override string? ToString() => endPoint.ToString();
    }
}

/// <summary>An endpoint that is a URL: it fixes the scheme and may have a path.</summary>
public class UriEndPoint(Uri uri) : EndPoint
{
    public Uri Uri { get; } = uri;

    public override bool Equals(object? obj) => obj is UriEndPoint other && other.Uri == Uri;

    public override int GetHashCode() => Uri.GetHashCode();

    public override string ToString() => Uri.ToString();
}

/// <summary>Endpoints of a service at one moment.</summary>
public sealed class ServiceEndpointSource(List<ServiceEndpoint>? endpoints, IChangeToken changeToken, IFeatureCollection features)
{
    public IReadOnlyList<ServiceEndpoint> Endpoints { get; } = endpoints ?? [];

    /// <summary>Fires when the moment has passed.</summary>
    public IChangeToken ChangeToken { get; } = changeToken;

    public IFeatureCollection Features { get; } = features;

    public override string ToString() => $"[{string.Join(", ", Endpoints)}]";
}

internal static class HostAndPort
{
    public static bool TryParse(string text, [NotNullWhen(true)] out EndPoint? endPoint)
    {
        // A URL needs a scheme; this one has no default port.
        if (!Uri.TryCreate($"endpoint://{text}", UriKind.Absolute, out var uri) || uri.Host.Length == 0)
        {
            endPoint = null;
            return false;
        }

        var port = Math.Max(uri.Port, 0);
        endPoint = IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address) ? new IPEndPoint(address, port) : new DnsEndPoint(uri.Host, port);
        return true;
    }
}
