using Microsoft.AspNetCore.Http.Features;

namespace OpenPlatform.Gateway.Authentication.Signatures;

/// <summary>Path and query as the client sent them, byte for byte: what is signed must not depend on how a server decodes.</summary>
internal readonly record struct RequestTarget(string Raw, string Path, string? Query)
{
    public static RequestTarget Of(HttpContext context)
    {
        var raw = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        var path = raw;

        // The absolute form (RFC 9112, 3.2.2): scheme and authority stand before the path.
        if (!raw.StartsWith('/') && raw.IndexOf("://", StringComparison.Ordinal) is > 0 and var scheme)
        {
            var end = raw.AsSpan(scheme + 3).IndexOfAny('/', '?');
            path = end < 0 ? "/" : raw[(scheme + 3 + end)..];
        }

        var question = path.IndexOf('?', StringComparison.Ordinal);
        var query = question < 0 ? null : path[(question + 1)..];
        path = question < 0 ? path : path[..question];
        return new(raw, path.Length == 0 ? "/" : path, query);
    }
}
