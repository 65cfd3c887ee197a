using OpenPlatform.Gateway.Protocols;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Context;

/// <summary>Sees to what is of the connection, and that there is a snapshot to decide by → 503. What a request is, <see cref="RequestContext"/> has found out.</summary>
internal sealed class RequestContextMiddleware(StepDelegate next, Drain drain, RefusalWriter refusals) : IStep
{
    public const string RequestIdHeader = "X-Request-Id";

    public Task InvokeAsync(GatewayRequest request)
    {
        drain.Tell(request.Http);
        Grpc.Begin(request.Http);
        if (!ReferenceEquals(request.Snapshot, GatewaySnapshot.None))
        {
            return next(request);
        }

        request.Http.Response.Headers.RetryAfter = "1";
        return refusals.WriteAsync(this, request, Refusal.NotReady);
    }
}
