using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using OpenTelemetry;

namespace OpenPlatform.ServiceDefaults.Telemetry;

/// <summary>
/// Completes ASP.NET Core's server span, which lacks the name, the route and the status: name <c>GET /orders/{id}</c>,
/// <c>http.route</c>, <c>http.response.status_code</c>, error status for 5xx. Health endpoints get no span at all.
/// </summary>
internal static class ServerSpans
{
    private static readonly PathString[] HealthPaths = ["/health", "/alive", "/livez", "/readyz", "/startupz"];

    public static Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (IsHealth(context.Request.Path))
        {
            return InvokeUnseenAsync(context, next);
        }

        return context.Features.Get<IHttpActivityFeature>()?.Activity is { IsAllDataRequested: true } span
            ? InvokeAsync(context, next, span)
            : next(context);
    }

    private static async Task InvokeAsync(HttpContext context, RequestDelegate next, Activity span)
    {
        try
        {
            await next(context);
            Complete(span, context, context.Response.StatusCode, exception: context.Features.Get<IExceptionHandlerFeature>()?.Error);
        }
        catch (Exception e)
        {
            // Past every exception handler: the server answers 500, unless the client has left.
            Complete(span, context, context.RequestAborted.IsCancellationRequested ? 499 : 500, e);
            throw;
        }
    }

    private static async Task InvokeUnseenAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Features.Get<IHttpActivityFeature>()?.Activity is { } span)
        {
            span.IsAllDataRequested = false;
            span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        }

        // What a check calls (a database, a neighbour) is as uninteresting as the check.
        using (SuppressInstrumentationScope.Begin())
        {
            await next(context);
        }
    }

    private static void Complete(Activity span, HttpContext context, int status, Exception? exception)
    {
        // A component that knows better (the gateway, whose routes are not endpoints) has set http.route already.
        var route = span.GetTagItem("http.route") as string ?? Route(context);
        var method = KnownMethod(context.Request.Method);
        span.DisplayName = route is null ? method : $"{method} {route}";
        span.SetTag("http.request.method", method);
        span.SetTag("http.route", route);
        span.SetTag("http.response.status_code", status);
        if (status >= 500)
        {
            span.SetStatus(ActivityStatusCode.Error);
            span.SetTag("error.type", exception?.GetType().FullName ?? status.ToString());
        }
    }

    private static string? Route(HttpContext context)
    {
        // An exception handler or a status page runs the pipeline again for another endpoint: the first one is meant.
        var endpoint = context.Features.Get<IExceptionHandlerFeature>()?.Endpoint
            ?? context.Features.Get<IStatusCodeReExecuteFeature>()?.Endpoint
            ?? context.GetEndpoint();
        return (endpoint as RouteEndpoint)?.RoutePattern.RawText is { } pattern ? "/" + pattern.Trim('/') : null;
    }

    /// <summary>The closed set of RFC 9110 and RFC 5789; anything else, which a client may invent, is <c>_OTHER</c> (as the conventions say).</summary>
    private static string KnownMethod(string method) => method switch
    {
        "GET" or "HEAD" or "POST" or "PUT" or "DELETE" or "CONNECT" or "OPTIONS" or "TRACE" or "PATCH" => method,
        _ => "_OTHER",
    };

    private static bool IsHealth(PathString path)
    {
        foreach (var health in HealthPaths)
        {
            if (path.Equals(health, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>Puts <see cref="ServerSpans"/> in front of everything else.</summary>
internal sealed class ServerSpansStartup : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(next => context => ServerSpans.InvokeAsync(context, next));
        next(app);
    };
}
