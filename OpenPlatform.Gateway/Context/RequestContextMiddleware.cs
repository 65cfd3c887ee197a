using System.Buffers;
using OpenPlatform.Gateway.Protocols;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Context;

/// <summary>
/// Begins a request: takes the snapshot that decides it, gives it an id and finds out who called. Health probes pass it by, unless an API has taken
/// their path.
/// </summary>
internal sealed class RequestContextMiddleware(RequestDelegate next, ActiveSnapshot active, OriginReader origins, Drain drain, RefusalWriter refusals)
{
    public const string RequestIdHeader = "X-Request-Id";
    private const int LongestRequestId = 128;

    private static readonly SearchValues<char> RequestIdCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:+/=-");

    public Task InvokeAsync(HttpContext context)
    {
        var snapshot = active.Current;
        var request = new GatewayRequest(snapshot ?? GatewaySnapshot.None, RequestId(context)) { Origin = origins.Read(context) };
        context.Features.Set(request);
        drain.Tell(context);
        Grpc.Begin(context);
        if (snapshot is null && context.Features.Get<GatewaySnapshot>() is { } own)
        {
            snapshot = own; // before there is any: the warm-up brings its own
            context.Features.Set(new GatewayRequest(own, request.RequestId) { Origin = request.Origin, Purpose = RequestPurpose.Warmup });
        }

        if (snapshot is not null)
        {
            return next(context);
        }

        context.Response.Headers.RetryAfter = "1";
        return refusals.WriteAsync(context, request, Refusal.NotReady);
    }

    /// <summary>True for <c>/health</c> and <c>/alive</c>, as long as no API is published there.</summary>
    public static bool IsProbe(HttpContext context, ActiveSnapshot active) =>
        context.Request.Path.Value is "/health" or "/alive" && active.Current?.Routes.Claims(context.Request.Path.Value) != true;

    private static string RequestId(HttpContext context)
    {
        if (context.Request.Headers.TryGetValue(RequestIdHeader, out var values) && values is [{ Length: > 0 and <= LongestRequestId } given]
            && !given.AsSpan().ContainsAnyExcept(RequestIdCharacters))
        {
            return given;
        }

        return context.TraceIdentifier;
    }
}
