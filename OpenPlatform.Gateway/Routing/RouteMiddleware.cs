using System.Buffers;
using System.Diagnostics;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Protection.Cors;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Routing;

/// <summary>Finds the operation: path and method → 404, 405 with <c>Allow</c>.</summary>
internal sealed class RouteMiddleware(RequestDelegate next, RefusalWriter refusals)
{
    // Kestrel has decoded the path and removed dot segments. A percent sign that is left was an encoded slash or was encoded
    // twice; a backslash is a slash to some servers. A backend could read either differently from us.
    private static readonly SearchValues<char> Ambiguous = SearchValues.Create("%\\\0");

    public Task InvokeAsync(HttpContext context)
    {
        var request = GatewayRequest.Of(context);
        var path = context.Request.Path.Value;
        if (path is null or "" || path.AsSpan().ContainsAny(Ambiguous))
        {
            return refusals.WriteAsync(context, request, Refusal.AmbiguousPath);
        }

        if (Preflight.TryRead(context.Request, out var asked) && request.Snapshot.Routes.Find(path, asked, out _) is { Api.Protection.Cors: not null } preflighted)
        {
            request.Operation = preflighted;
            return next(context);
        }

        if (request.Snapshot.Routes.Find(path, context.Request.Method, out var allow) is not { } operation)
        {
            if (allow is null)
            {
                return refusals.WriteAsync(context, request, Refusal.UnknownPath);
            }

            context.Response.Headers[HeaderNames.Allow] = allow;
            return refusals.WriteAsync(context, request, Refusal.MethodNotAllowed);
        }

        request.Operation = operation;
        Activity.Current?.SetTag("http.route", operation.RouteText);
        return next(context);
    }
}
