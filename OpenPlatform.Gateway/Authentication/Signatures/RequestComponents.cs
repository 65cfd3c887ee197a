using System.Net;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Authentication.Signatures;

/// <summary>The components of a request. Scheme and authority are those the client used, where trusted proxies vouch for them.</summary>
internal sealed class RequestComponents(HttpContext context, Origin origin) : IMessageComponents
{
    private readonly RequestTarget _target = RequestTarget.Of(context);

    public string? Field(string name)
    {
        if (!context.Request.Headers.TryGetValue(name, out var values) || values.Count == 0 || name.AsSpan().ContainsAnyInRange('A', 'Z'))
        {
            return null;
        }

        return values.Count == 1 ? values[0]?.Trim() : string.Join(", ", values.Select(static v => v?.Trim()));
    }

    public IReadOnlyList<string> Lines(string name) =>
        name.AsSpan().ContainsAnyInRange('A', 'Z') ? [] : [.. context.Request.Headers[name].Select(static line => line?.Trim() ?? string.Empty)];

    public string? Derived(string name) => name switch
    {
        "@method" => context.Request.Method,
        "@target-uri" => $"{origin.Scheme}://{Authority()}{_target.Path}{(_target.Query is null ? "" : "?")}{_target.Query}",
        "@authority" => Authority(),
        "@scheme" => origin.Scheme,
        "@request-target" => _target.Raw,
        "@path" => _target.Path,
        "@query" => "?" + _target.Query,
        _ => null,
    };

    public string? QueryParameter(string name)
    {
        string? found = null;
        foreach (var piece in (_target.Query ?? string.Empty).Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = piece.IndexOf('=', StringComparison.Ordinal);
            if (Encode(equals < 0 ? piece : piece[..equals]) == name)
            {
                if (found is not null)
                {
                    return null;
                }

                found = Encode(equals < 0 ? string.Empty : piece[(equals + 1)..]);
            }
        }

        return found;
    }

    /// <summary>Lower case, without the scheme's own port (RFC 9421, 2.2.3).</summary>
    private string Authority()
    {
        var host = origin.Host.ToLowerInvariant();
        var port = origin.Scheme == "https" ? ":443" : ":80";
        return host.EndsWith(port, StringComparison.Ordinal) ? host[..^port.Length] : host;
    }

    /// <summary>Decoded as a form and encoded again in one way, whichever way the client chose.</summary>
    private static string Encode(string text) =>
        Uri.EscapeDataString(WebUtility.UrlDecode(text)).Replace("%2A", "*", StringComparison.Ordinal).Replace("~", "%7E", StringComparison.Ordinal);
}
