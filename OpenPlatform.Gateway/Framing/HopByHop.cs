using System.Collections.Frozen;
using System.Net.Http.Headers;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Framing;

/// <summary>Takes out of a request what must not go on to a backend, beyond the headers that YARP knows to be hop-by-hop.</summary>
internal static class HopByHop
{
    // What YARP does not pass on, in either direction.
    private static readonly FrozenSet<string> Names = new[]
    {
        "Connection", "Transfer-Encoding", "Keep-Alive", "Upgrade", "TE", "Alt-Svc", "HTTP2-Settings", "Upgrade-Insecure-Requests", "Close", "ALPN", "Security-Scheme",
        "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Features", "Proxy-Instruction",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>True for headers that speak of one hop.</summary>
    public static bool Contains(string name) => Names.Contains(name);

    public static void Remove(GatewayRequest request, HttpRequestHeaders headers)
    {
        var guard = request.Client?.Guard;

        // RFC 9110, 7.6.1: what Connection names was for us alone. Kestrel shows a list that holds "close" or "keep-alive" as that
        // word alone; the guard has seen it whole. HTTP/2 has no such header: Kestrel refuses it.
        if (guard?.Request.Nominated is { } nominated)
        {
            foreach (var name in nominated)
            {
                headers.Remove(name);
            }
        }

        if (guard is null || guard.Request.MayClaim)
        {
            RemoveClaims(headers);
        }
    }

    private static void RemoveClaims(HttpRequestHeaders headers)
    {
        List<string>? claims = null;
        foreach (var header in headers.NonValidated)
        {
            if (ProtectedHeaders.IsClaim(header.Key))
            {
                (claims ??= []).Add(header.Key);
            }
        }

        foreach (var claim in claims ?? [])
        {
            headers.Remove(claim);
        }
    }
}
