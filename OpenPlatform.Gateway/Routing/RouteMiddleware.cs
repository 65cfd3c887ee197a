using System.Diagnostics;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Protection.Cors;
using OpenPlatform.Gateway.Protocols;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Routing;

/// <summary>Finds the operation: path and method → 404, 405 with <c>Allow</c>, 410 below a retired version.</summary>
internal sealed class RouteMiddleware(StepDelegate next, RefusalWriter refusals) : IStep
{
    public Task InvokeAsync(GatewayRequest request)
    {
        var context = request.Http;
        var path = context.Request.Path.Value;
        if (string.IsNullOrEmpty(path))
        {
            return refusals.WriteAsync(this, request, Refusal.AmbiguousPath);
        }

        if (Preflight.TryRead(context.Request, out var asked) && request.Snapshot.Routes.Find(path, asked, out _) is { Api.Protection.Cors: not null } preflighted)
        {
            request.Operation = preflighted;
            return next(request);
        }

        if (request.Snapshot.Routes.Find(path, WebSockets.MethodOf(context), out var allow) is not { } operation)
        {
            // What belongs to a version that ends says so, too; one that has ended has no other answer.
            if (request.Snapshot.Routes.FindApi(path)?.Lifecycle is { } lifecycle)
            {
                lifecycle.Announce(context.Response.Headers);
                if (lifecycle.Retired)
                {
                    return refusals.WriteAsync(this, request, Refusal.VersionRetired, lifecycle.SuccessorMember);
                }
            }

            if (allow is null)
            {
                return refusals.WriteAsync(this, request, Refusal.UnknownPath);
            }

            context.Response.Headers[HeaderNames.Allow] = allow;
            return refusals.WriteAsync(this, request, Refusal.MethodNotAllowed);
        }

        request.Operation = operation;
        Activity.Current?.SetTag("http.route", operation.RouteText);
        return next(request);
    }
}
