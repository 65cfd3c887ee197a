using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Authorization;

/// <summary>What the application may call: not suspended, actively subscribed to the version → 403.</summary>
internal sealed class AuthorizationMiddleware(RequestDelegate next, RefusalWriter refusals)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = GatewayRequest.Of(context);
        var refusal = Authorize(request);
        return refusal == Refusal.None ? next(context) : refusals.WriteAsync(context, request, refusal);
    }

    /// <summary>Fills in the subscription, or says why not. Allocates nothing.</summary>
    public static Refusal Authorize(GatewayRequest request)
    {
        if (request.Application.Suspended)
        {
            return Refusal.ApplicationSuspended;
        }

        if (request.Snapshot.FindSubscription(request.Application, request.Operation.Api) is not { } subscription)
        {
            return Refusal.NotSubscribed;
        }

        request.Subscription = subscription;
        return Refusal.None;
    }
}
