using Microsoft.AspNetCore.Http.Features;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Protocols;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Framing;

/// <summary>Answers what the guard below HTTP has refused, and refuses paths that others could read differently → 400, 431.</summary>
internal sealed class FramingMiddleware(StepDelegate next, Drain drain, RefusalWriter refusals) : IStep
{
    public Task InvokeAsync(GatewayRequest request)
    {
        var context = request.Http;
        var guard = request.Client?.Guard;
        if (guard is not null)
        {
            guard.InPipeline = true;
        }

        if (guard is { IsRefused: true })
        {
            return refusals.WriteAsync(context, request, guard.IsTooLong ? Refusal.RequestHeadTooLarge : Refusal.BadFraming);
        }

        if (guard is { Request.IsWebSocket: true } || WebSockets.IsExtendedConnect(context))
        {
            WebSockets.Watch(context, drain);
        }

        return PathGuard.IsAmbiguous(context.Features.Get<IHttpRequestFeature>()!.RawTarget, context.Request.Path.Value)
            ? refusals.WriteAsync(context, request, Refusal.AmbiguousPath)
            : next(request);
    }
}
