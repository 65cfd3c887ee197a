using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;

namespace OpenPlatform.ServiceDefaults.Instances;

/// <summary>Turns what Kestrel has bound into an address that others can call.</summary>
internal static class LeaseAddress
{
    /// <summary>The first http address, else the first https one; null when the server listens nowhere (a test server).</summary>
    public static Uri? FindOrNull(IServer server)
    {
        var bound = server.Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
        var addresses = bound.Select(BindingAddress.Parse).Where(a => !a.IsUnixPipe && !a.IsNamedPipe && a.Port != 0).ToArray();

        // http first: an https certificate names the service, hardly ever the address of one instance.
        return (addresses.FirstOrDefault(a => a.Scheme == "http") ?? addresses.FirstOrDefault(a => a.Scheme == "https")) is { } address
            ? new UriBuilder(address.Scheme, Reachable(address.Host), address.Port).Uri
            : null;
    }

    private static string Reachable(string host)
    {
        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase))
        {
            return "127.0.0.1"; // what "localhost" means depends on the reader; Kestrel binds both families
        }

        if (!IPAddress.TryParse(host.Trim('[', ']'), out var ip))
        {
            return host is "*" or "+" ? OwnAddress() : host;
        }

        return ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any) ? OwnAddress() : host;
    }

    /// <summary>The address of the first interface that is up and leads somewhere, IPv4 first; loopback on a machine without a network.</summary>
    private static string OwnAddress()
    {
        var candidates = NetworkInterface.GetAllNetworkInterfaces()
            .Where(i => i.OperationalStatus == OperationalStatus.Up && i.NetworkInterfaceType != NetworkInterfaceType.Loopback)
            .OrderByDescending(i => i.GetIPProperties().GatewayAddresses.Count > 0)
            .SelectMany(i => i.GetIPProperties().UnicastAddresses)
            .Select(a => a.Address)
            .Where(a => !IPAddress.IsLoopback(a) && !a.IsIPv6LinkLocal)
            .ToArray();
        var best = candidates.FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork) ?? candidates.FirstOrDefault() ?? IPAddress.Loopback;
        return best.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{best}]" : best.ToString();
    }
}
