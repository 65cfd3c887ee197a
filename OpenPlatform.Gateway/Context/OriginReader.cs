using System.Buffers;
using System.Net;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace OpenPlatform.Gateway.Context;

/// <summary>
/// Finds the client's address: that of the connection, or, when it belongs to a trusted proxy, the nearest address in the chain
/// of proxies that does not. What stands to the left of that one was said by somebody unknown and is not looked at.
/// </summary>
internal sealed class OriginReader
{
    /// <summary>More proxies than this in front of a gateway are a forged list.</summary>
    private const int LongestChain = 32;

    // What may stand in a quoted host without ending the quotes: names, ports, IPv6 in brackets.
    private static readonly SearchValues<char> HostCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:[]");

    private readonly IPNetwork[] _trusted;
    private readonly bool _standard;

    public OriginReader(IOptions<ContextOptions> options)
    {
        _trusted = [.. options.Value.TrustedProxies.Select(static text => ContextOptionsValidator.TryParse(text, out var network) ? network : default)];
        _standard = options.Value.ProxyField == ProxyField.Forwarded;
    }

    public Origin Read(HttpContext context)
    {
        var own = new Origin(Plain(context.Connection.RemoteIpAddress), context.Request.Scheme, context.Request.Host.Value ?? "");
        if (_trusted.Length == 0 || !IsTrusted(own.Address))
        {
            return own;
        }

        return _standard ? ReadForwarded(context.Request.Headers["Forwarded"], own) : ReadCommon(context.Request.Headers, own);
    }

    private static IPAddress Plain(IPAddress? address) =>
        address is null ? IPAddress.None : address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private bool IsTrusted(IPAddress address)
    {
        foreach (var network in _trusted)
        {
            if (network.Contains(address))
            {
                return true;
            }
        }

        return false;
    }

    private Origin ReadCommon(IHeaderDictionary headers, Origin own)
    {
        var address = own.Address;
        foreach (var hop in FromTheRight(headers["X-Forwarded-For"], ','))
        {
            if (!IsTrusted(address) || !TryReadNode(hop, out var before))
            {
                break;
            }

            address = before;
        }

        // Proto and host are a list in some proxies, in the same order; the nearest proxy's word is the last.
        var scheme = FromTheRight(headers["X-Forwarded-Proto"], ',').FirstOrDefault("");
        var host = FromTheRight(headers["X-Forwarded-Host"], ',').FirstOrDefault("");
        return new(address, SchemeOr(scheme, own.Scheme), HostOr(host, own.Host));
    }

    private Origin ReadForwarded(StringValues field, Origin own)
    {
        var origin = own;
        foreach (var element in FromTheRight(field, ','))
        {
            if (!IsTrusted(origin.Address))
            {
                break;
            }

            string node = "", scheme = "", host = "";
            foreach (var pair in FromTheRight(element, ';'))
            {
                var equals = pair.IndexOf('=', StringComparison.Ordinal);
                var name = equals < 0 ? "" : pair[..equals].Trim();
                var value = equals < 0 ? "" : Unquoted(pair[(equals + 1)..].Trim());
                node = name.Equals("for", StringComparison.OrdinalIgnoreCase) ? value : node;
                scheme = name.Equals("proto", StringComparison.OrdinalIgnoreCase) ? value : scheme;
                host = name.Equals("host", StringComparison.OrdinalIgnoreCase) ? value : host;
            }

            if (!TryReadNode(node, out var before))
            {
                break; // "unknown" or an obfuscated identifier (RFC 7239, 6.2, 6.3): the chain ends here
            }

            origin = new(before, SchemeOr(scheme, origin.Scheme), HostOr(host, origin.Host));
        }

        return origin;
    }

    /// <summary>The parts of a list, last first, without blanks; a separator in quotes separates nothing.</summary>
    private static IEnumerable<string> FromTheRight(StringValues field, char separator)
    {
        var parts = 0;
        for (var line = field.Count - 1; line >= 0; line--)
        {
            var rest = field[line] ?? "";
            var end = rest.Length;
            var quoted = false;
            for (var i = rest.Length - 1; i >= -1 && parts < LongestChain; i--)
            {
                if (i >= 0 && rest[i] == '"')
                {
                    quoted = !quoted;
                }

                if (i < 0 || (rest[i] == separator && !quoted))
                {
                    parts++;
                    yield return rest[(i + 1)..end].Trim();
                    end = Math.Max(i, 0);
                }
            }
        }
    }

    private static string Unquoted(string value) => value is ['"', .., '"'] ? value[1..^1] : value;

    /// <summary>An address, with or without a port, IPv6 with or without brackets.</summary>
    private static bool TryReadNode(string node, out IPAddress address)
    {
        var text = node;
        if (node is ['[', ..] && node.IndexOf(']', StringComparison.Ordinal) is > 0 and var end)
        {
            text = node[1..end];
        }
        else if (node.Count(static c => c == ':') == 1)
        {
            text = node[..node.IndexOf(':', StringComparison.Ordinal)];
        }

        // IPAddress also reads "1" and "0x7f.1" as addresses; in a chain of proxies they are nonsense.
        var isAddress = IPAddress.TryParse(text, out var parsed) && (text.Contains(':', StringComparison.Ordinal) || text.Count(static c => c == '.') == 3);
        address = isAddress ? Plain(parsed) : IPAddress.None;
        return isAddress;
    }

    private static string SchemeOr(string said, string otherwise) =>
        said.Equals("https", StringComparison.OrdinalIgnoreCase) ? "https" : said.Equals("http", StringComparison.OrdinalIgnoreCase) ? "http" : otherwise;

    private static string HostOr(string said, string otherwise) =>
        said.Length is 0 or > 255 || said.AsSpan().ContainsAnyExcept(HostCharacters) ? otherwise : said;
}
