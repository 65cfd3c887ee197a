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

    private static readonly SearchValues<char> ControlCharacters =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Where(static c => c != '\t').Append(0x7f).Select(static c => (char)c)]);

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

        var target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        if (guard is null && !(IsSound(context.Request) && IsTarget(target)))
        {
            return refusals.WriteAsync(this, request, Refusal.BadFraming);
        }

        if (guard is { Request.IsWebSocket: true } || WebSockets.IsExtendedConnect(context))
        {
            WebSockets.Watch(context, drain);
        }

        return PathGuard.IsAmbiguous(target, context.Request.Path.Value)
            ? refusals.WriteAsync(this, request, Refusal.AmbiguousPath)
            : next(request);
    }

    /// <summary>HTTP/2 carries names and values as counted bytes, and the server takes nearly all of them: in a head of HTTP/1 a blank, a colon or a line end in
    /// a name would begin another field, or another request (RFC 9113, 8.2.1), and servers disagree about a control character in a value. Over HTTP/1 the
    /// guard has looked.</summary>
    private static bool IsSound(HttpRequest request)
    {
        var hasConnections = HttpProtocol.IsHttp11(request.Protocol);
        foreach (var (name, values) in request.Headers)
        {
            if (name.Length == 0 || (name[0] != ':' && name.AsSpan().ContainsAnyExcept(NameCharacters)) || (!hasConnections && IsOfConnection(name)))
            {
                return false;
            }

            foreach (var value in values)
            {
                if (value.AsSpan().ContainsAny(ControlCharacters))
                {
                    return false;
                }
            }
        }

        return request.Headers.Expect is [] or [null or ""] || request.Headers.Expect is [{ } one] && one.Equals("100-continue", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>What says something of one connection of HTTP/1 means nothing here (RFC 9113, 8.2.2). Of <c>Connection</c> and <c>TE</c> the server refuses what does not belong.</summary>
    private static bool IsOfConnection(string name) => name.Length switch
    {
        7 => name.Equals("Upgrade", StringComparison.OrdinalIgnoreCase),
        10 => name.Equals("Keep-Alive", StringComparison.OrdinalIgnoreCase),
        16 => name.Equals("Proxy-Connection", StringComparison.OrdinalIgnoreCase),
        17 => name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase),
        _ => false,
    };

    /// <summary>A blank would end it in the request line of HTTP/1; a fragment is nothing that is sent.</summary>
    private static bool IsTarget(string target) => !target.AsSpan().ContainsAnyExceptInRange('!', '~') && !target.Contains('#', StringComparison.Ordinal);
}
