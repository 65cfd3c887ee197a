using System.Buffers;
using Microsoft.AspNetCore.Http.Features;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Protocols;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Framing;

/// <summary>Answers what the guard below HTTP has refused, and refuses paths that others could read differently → 400, 431.</summary>
internal sealed class FramingMiddleware(StepDelegate next, Drain drain, RefusalWriter refusals) : IStep
{
    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~");

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
            return refusals.WriteAsync(this, request, guard.IsTooLong ? Refusal.RequestHeadTooLarge : Refusal.BadFraming);
        }

        if (guard is null && !HasFieldNames(context.Request.Headers))
        {
            return refusals.WriteAsync(this, request, Refusal.BadFraming);
        }

        if (guard is { Request.IsWebSocket: true } || WebSockets.IsExtendedConnect(context))
        {
            WebSockets.Watch(context, drain);
        }

        return PathGuard.IsAmbiguous(context.Features.Get<IHttpRequestFeature>()!.RawTarget, context.Request.Path.Value)
            ? refusals.WriteAsync(this, request, Refusal.AmbiguousPath)
            : next(request);
    }

    /// <summary>HTTP/2 carries names as counted bytes, and the server takes nearly all of them: in a head of HTTP/1 a blank, a colon or a line end in
    /// one would begin another field, or another request (RFC 9113, 8.2.1). Over HTTP/1 the guard has looked.</summary>
    private static bool HasFieldNames(IHeaderDictionary headers)
    {
        foreach (var (name, _) in headers)
        {
            if (name.Length == 0 || (name[0] != ':' && name.AsSpan().ContainsAnyExcept(NameCharacters)))
            {
                return false;
            }
        }

        return true;
    }
}
