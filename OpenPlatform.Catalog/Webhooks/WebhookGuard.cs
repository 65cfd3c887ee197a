using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Catalog.Webhooks;

/// <summary>
/// Keeps webhooks out of the networks behind the platform (server-side request forgery): only public addresses, unless a setting allows
/// more. Checked on the address that is connected to, so a name that resolves to another one later does not help.
/// </summary>
internal sealed class WebhookGuard
{
    // IANA's special-purpose registries for IPv4 and IPv6: everything that is not globally reachable.
    private static readonly IPNetwork[] NotPublic =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
            "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
        }.Select(static range => IPNetwork.Parse(range)),
    ];

    private static readonly IPNetwork PublicV6 = IPNetwork.Parse("2000::/3");

    private readonly IPNetwork[] _allowed;
    private readonly bool _allowsAll;
    private readonly bool _allowsHttp;

    public WebhookGuard(IOptions<WebhookOptions> options, IHostEnvironment environment)
    {
        _allowed = [.. options.Value.AllowedNetworks.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(static range => IPNetwork.Parse(range))];
        _allowsAll = environment.IsDevelopment();
        _allowsHttp = options.Value.AllowHttp || environment.IsDevelopment();
    }

    public bool AllowsScheme(Uri url) => url.Scheme == Uri.UriSchemeHttps || (_allowsHttp && url.Scheme == Uri.UriSchemeHttp);

    public bool Allows(IPAddress address)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return _allowsAll
            || Array.Exists(_allowed, network => network.BaseAddress.AddressFamily == plain.AddressFamily && network.Contains(plain))
            || IsPublic(plain);
    }

    /// <summary>Connects to the first allowed address of the host.</summary>
    /// <exception cref="HttpRequestException">None of its addresses is allowed, or none answers.</exception>
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, cancellationToken);
        IPAddress[] allowed = [.. addresses.Where(Allows)];
        if (allowed.Length == 0)
        {
            throw new HttpRequestException("its address is inside of a network that webhooks may not reach");
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static bool IsPublic(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetworkV6 && !PublicV6.Contains(address))
        {
            return false; // loopback, link-local, unique local, multicast, NAT64, …
        }

        return !Array.Exists(NotPublic, network => network.BaseAddress.AddressFamily == address.AddressFamily && network.Contains(address));
    }
}
