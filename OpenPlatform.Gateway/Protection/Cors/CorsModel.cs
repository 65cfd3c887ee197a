using System.Collections.Frozen;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Protection.Cors;

/// <summary>The CORS answers of one API version. The backend has no say: what it says about CORS is replaced.</summary>
internal sealed class CorsModel
{
    private static readonly string[] UsualHeaders = ["Authorization", "Content-Type", "X-Api-Key"];

    /// <summary>Forbidden to pages anyway or always allowed (Fetch standard, CORS-safelisted), so never a reason to refuse.</summary>
    private static readonly string[] SafeHeaders = ["Accept", "Accept-Language", "Content-Language", "Content-Type", "Range"];

    private readonly bool _anyOrigin;
    private readonly FrozenSet<string> _origins;
    private readonly (string Scheme, string Suffix)[] _below;
    private readonly FrozenSet<string>? _headers;
    private readonly string _allowHeaders;
    private readonly string? _exposed;
    private readonly bool _credentials;
    private readonly string _maxAge;

    public CorsModel(CorsPolicy policy)
    {
        var headers = policy.Headers ?? UsualHeaders;
        _anyOrigin = policy.Origins.Contains("*");
        _origins = policy.Origins.Where(static o => !o.Contains('*', StringComparison.Ordinal)).ToFrozenSet(StringComparer.Ordinal);
        _below = [.. policy.Origins.Where(static o => o.Contains("://*.", StringComparison.Ordinal)).Select(static o => (o[..(o.IndexOf('*', StringComparison.Ordinal))], o[(o.IndexOf('*', StringComparison.Ordinal) + 1)..]))];
        _headers = headers.Contains("*") ? null : headers.Concat(SafeHeaders).ToFrozenSet(StringComparer.OrdinalIgnoreCase);
        _allowHeaders = string.Join(", ", headers);
        _exposed = policy.ExposedHeaders is { Count: > 0 } exposed ? string.Join(", ", exposed) : null;
        _credentials = policy.AllowCredentials;
        _maxAge = (policy.MaxAgeSeconds ?? 600).ToString();
    }

    /// <summary>Answers a preflight; false, and nothing written, when the page may not.</summary>
    /// <param name="method">What the operation was found by; offered, or there would be no operation.</param>
    public bool TryAllow(HttpContext context, string method)
    {
        var headers = context.Response.Headers;
        headers.Vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        if (!Allows(context.Request.Headers.Origin.ToString()) || !AllowsHeaders(context.Request.Headers.AccessControlRequestHeaders))
        {
            return false;
        }

        headers.AccessControlAllowMethods = method;
        headers.AccessControlMaxAge = _maxAge;

        // "*" does not stand for Authorization (Fetch standard, 3.2.3).
        headers.AccessControlAllowHeaders = _headers is null ? "*, Authorization" : _allowHeaders;
        return true;
    }

    /// <summary>Says on any answer whether the page that asked may read it.</summary>
    public void Mark(HttpRequest request, IHeaderDictionary headers)
    {
        headers.Remove(HeaderNames.AccessControlAllowOrigin);
        headers.Remove(HeaderNames.AccessControlAllowCredentials);
        headers.Remove(HeaderNames.AccessControlExposeHeaders);
        if (!_anyOrigin)
        {
            AddVary(headers);
        }

        if (request.Headers.Origin is not [{ } origin] || !Allows(origin))
        {
            return;
        }

        headers.AccessControlAllowOrigin = _anyOrigin ? "*" : origin;
        if (_credentials)
        {
            headers.AccessControlAllowCredentials = "true";
        }

        if (_exposed is not null)
        {
            headers.AccessControlExposeHeaders = _exposed;
        }
    }

    private bool Allows(string origin)
    {
        if (_anyOrigin || _origins.Contains(origin))
        {
            return true;
        }

        foreach (var (scheme, suffix) in _below)
        {
            // A name below, not a text that happens to end like it: nothing but a host may stand for the star.
            if (origin.StartsWith(scheme, StringComparison.Ordinal) && origin.EndsWith(suffix, StringComparison.Ordinal) && origin.Length > scheme.Length + suffix.Length
                && !origin.AsSpan(scheme.Length, origin.Length - scheme.Length - suffix.Length).ContainsAny("/@:?#"))
            {
                return true;
            }
        }

        return false;
    }

    private bool AllowsHeaders(StringValues asked)
    {
        if (_headers is null)
        {
            return true;
        }

        foreach (var line in asked)
        {
            foreach (var name in (line ?? string.Empty).Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                if (!_headers.Contains(name))
                {
                    return false;
                }
            }
        }

        return true;
    }

    private static void AddVary(IHeaderDictionary headers)
    {
        var vary = headers.Vary;
        if (!vary.Any(static line => line is not null && (line == "*" || line.Contains("Origin", StringComparison.OrdinalIgnoreCase))))
        {
            headers.Vary = StringValues.Concat(vary, "Origin");
        }
    }
}
