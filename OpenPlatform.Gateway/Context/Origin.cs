using System.Net;

namespace OpenPlatform.Gateway.Context;

/// <summary>Who called and by which name, as far as trusted proxies vouch for it; otherwise what the connection itself says.</summary>
/// <param name="Address">IPv4 never in its IPv6-mapped form; <see cref="IPAddress.None"/> when the connection has no address.</param>
/// <param name="Scheme"><c>http</c> or <c>https</c>, as the client used it.</param>
/// <param name="Host">The host the client asked for, with its port; may be empty.</param>
internal readonly record struct Origin(IPAddress Address, string Scheme, string Host)
{
    public static Origin Unknown { get; } = new(IPAddress.None, "http", "");

    public string AddressText => ReferenceEquals(Address, IPAddress.None) ? "unknown" : Address.ToString();
}
