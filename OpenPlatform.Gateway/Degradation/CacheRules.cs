using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Degradation;

/// <summary>
/// What RFC 9111 lets a shared cache keep and give again, made stricter: an answer belongs to the application that got it, and whatever may
/// belong to a person behind the application (a foreign <c>Authorization</c>, a cookie, <c>private</c>) is not kept at all.
/// </summary>
internal static class CacheRules
{
    /// <summary>Written anew for each answer, or about one connection only.</summary>
    private static readonly HashSet<string> NotKept = new(StringComparer.OrdinalIgnoreCase)
    {
        HeaderNames.Age, HeaderNames.Connection, HeaderNames.KeepAlive, HeaderNames.TransferEncoding, HeaderNames.Trailer, HeaderNames.Upgrade, HeaderNames.ProxyAuthenticate,
        HeaderNames.ContentLength, "Proxy-Connection", "Proxy-Status", "Cache-Status", DegradedAnswers.Header, RequestContextMiddleware.RequestIdHeader,
        Limits.RateLimitFields.LimitHeader, Limits.RateLimitFields.PolicyHeader,
    };

    /// <summary>True when a kept answer may be the answer, and this answer may be kept.</summary>
    public static bool MayUse(HttpRequest http, GatewayRequest request)
    {
        var headers = http.Headers;
        return http.Method is "GET" or "HEAD"
            && (StringValues.IsNullOrEmpty(headers.Authorization) || (request.KeyInAuthorization && request.Scheme == CredentialScheme.ApiKey))
            && StringValues.IsNullOrEmpty(headers.Cookie)
            && StringValues.IsNullOrEmpty(headers.Range)
            && http.HttpContext.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false };
    }

    /// <summary>The client wants the backend asked: <c>no-cache</c>, <c>no-store</c>, <c>max-age=0</c>, or <c>Pragma: no-cache</c>.</summary>
    public static bool WantsFresh(IHeaderDictionary headers) =>
        StringValues.IsNullOrEmpty(headers.CacheControl)
            ? headers.Pragma.ToString().Contains("no-cache", StringComparison.OrdinalIgnoreCase)
            : !CacheControlHeaderValue.TryParse(headers.CacheControl.ToString(), out var control)
                || control.NoCache || control.NoStore || control.MaxAge == TimeSpan.Zero;

    /// <summary>The answer to keep, without its body; null when it must not be kept or can never be used.</summary>
    public static CachedAnswer? Keep(CacheKey key, Guid application, CachePolicy policy, HttpContext context, DateTimeOffset now)
    {
        var response = context.Response;
        var headers = response.Headers;
        if (response.StatusCode != StatusCodes.Status200OK || context.Request.Method != "GET" || headers.SetCookie.Count > 0
            || response.ContentLength > policy.MaxAnswerBytes || IsNoStore(context.Request.Headers))
        {
            return null;
        }

        var control = new CacheControlHeaderValue();
        if (!StringValues.IsNullOrEmpty(headers.CacheControl))
        {
            // What cannot be read could have forbidden it.
            if (!CacheControlHeaderValue.TryParse(headers.CacheControl.ToString(), out var parsed) || parsed.NoStore || parsed.Private || parsed.NoCache)
            {
                return null;
            }

            control = parsed;
        }

        var names = headers.Vary.ToString().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (names.Contains("*"))
        {
            return null;
        }

        var fresh = Seconds(control.SharedMaxAge ?? control.MaxAge ?? Expires(headers));

        // RFC 9111, 5.2.2.2 and 5.2.2.10; RFC 5861, 4.
        var stale = control.MustRevalidate || control.ProxyRevalidate || control.SharedMaxAge is not null
            ? 0
            : StaleIfError(control) ?? policy.MaxStaleSeconds;
        if (fresh == 0 && stale == 0)
        {
            return null;
        }

        var everybodys = policy.Shared && (control.Public || control.SharedMaxAge is not null);
        return new(
            key, everybodys ? Guid.Empty : application,
            [.. names.Select(name => (name, context.Request.Headers[name].ToString()))],
            [.. headers.Where(static h => !NotKept.Contains(h.Key))],
            [], now.UtcTicks, long.TryParse(headers.Age.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var age) ? age : 0, fresh, stale);
    }

    private static bool IsNoStore(IHeaderDictionary headers) =>
        !StringValues.IsNullOrEmpty(headers.CacheControl)
        && (!CacheControlHeaderValue.TryParse(headers.CacheControl.ToString(), out var control) || control.NoStore);

    private static TimeSpan? Expires(IHeaderDictionary headers)
    {
        var typed = new ResponseHeaders(headers);
        return StringValues.IsNullOrEmpty(headers.Expires) ? null
            : typed.Expires is { } expires && typed.Date is { } date ? expires - date
            : TimeSpan.Zero; // "Expires: 0" means: already
    }

    private static long? StaleIfError(CacheControlHeaderValue control)
    {
        foreach (var extension in control.Extensions)
        {
            if (extension.Name.Equals("stale-if-error", StringComparison.OrdinalIgnoreCase)
                && long.TryParse(extension.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            {
                return Math.Min(seconds, int.MaxValue);
            }
        }

        return null;
    }

    private static long Seconds(TimeSpan? span) => span is { } time && time > TimeSpan.Zero ? (long)time.TotalSeconds : 0;
}
