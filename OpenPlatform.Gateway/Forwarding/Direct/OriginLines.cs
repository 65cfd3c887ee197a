using System.Net.Sockets;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Forwarding.Direct;

/// <summary>The header lines by which a backend learns who called, as bytes; made anew when the caller is another one.</summary>
internal sealed class OriginLines
{
    private readonly RequestHeadBuffer _lines = new();
    private Origin _of;

    public ReadOnlySpan<byte> For(in Origin origin)
    {
        if (_lines.Length == 0 || !ReferenceEquals(origin.Address, _of.Address) || origin.Host != _of.Host || origin.Scheme != _of.Scheme)
        {
            _of = origin;
            _lines.Clear();
            Write(_lines, origin);
        }

        return _lines.Bytes.Span;
    }

    public static void Write(RequestHeadBuffer head, in Origin origin)
    {
        var address = origin.AddressText;
        head.AddHeader("X-Forwarded-For", address);
        head.AddHeader("X-Forwarded-Proto", origin.Scheme);
        if (origin.Host.Length > 0)
        {
            head.AddHeader("X-Forwarded-Host", origin.Host);
        }

        head.AddHeader("Forwarded", Forwarded(origin, address));
    }

    /// <summary>RFC 7239: an IPv6 address is quoted and in brackets. Nothing that could break out of the quotes is taken as a host.</summary>
    public static string Forwarded(in Origin origin, string address)
    {
        var node = origin.Address.AddressFamily == AddressFamily.InterNetworkV6 ? $"\"[{address}]\"" : address;
        return origin.Host.Length == 0 ? $"for={node};proto={origin.Scheme}" : $"for={node};proto={origin.Scheme};host=\"{origin.Host}\"";
    }
}
