using System.Globalization;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Lifecycle;

/// <summary>
/// Says on every answer of a version that ends when it does and what comes after it; refuses one that has ended → 410, or is blocked → 503. Before
/// anybody is asked who calls: neither is a secret, and neither is the caller's fault.
/// </summary>
/// <remarks>
/// A block is 503, not 403: it is the API that is not to be had, no right that the caller lacks, and only 503 has a defined
/// <c>Retry-After</c> (RFC 9110, 15.6.4), which clients and gRPC (UNAVAILABLE) already obey.
/// </remarks>
internal sealed class LifecycleMiddleware(StepDelegate next, RefusalWriter refusals, TimeProvider time) : IStep
{
    public Task InvokeAsync(GatewayRequest request) => request.Operation.Api.Lifecycle is not { } lifecycle ? next(request) : InvokeAsync(request.Http, request, lifecycle);

    private Task InvokeAsync(HttpContext context, GatewayRequest request, LifecycleEntry lifecycle)
    {
        if (lifecycle.Announces)
        {
            // As late as this: the headers of a backend's answer, and of a try that failed, come and go before.
            context.Response.OnStarting(
                static state =>
                {
                    var request = (GatewayRequest)state;
                    request.Operation.Api.Lifecycle!.Announce(request.Http.Response.Headers);
                    return Task.CompletedTask;
                },
                request);
        }

        if (lifecycle.Retired)
        {
            return refusals.WriteAsync(this, request, Refusal.VersionRetired, lifecycle.SuccessorMember);
        }

        if (lifecycle.IsBlocked(time.GetUtcNow(), out var left))
        {
            if (left is { } wait)
            {
                context.Response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            }

            return refusals.WriteAsync(this, request, Refusal.VersionBlocked, lifecycle.ReasonMember);
        }

        return next(request);
    }
}
