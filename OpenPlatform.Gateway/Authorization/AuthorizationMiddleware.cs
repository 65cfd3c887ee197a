using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Authentication.Replay;
using OpenPlatform.Gateway.Authentication.Signatures;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Authorization;

/// <summary>
/// What the application may call: not suspended, actively subscribed to the version, from an address that may, identified as its plan accepts it, with
/// the scopes that the operation asks for → 403; a signed request only once → 401.
/// </summary>
internal sealed class AuthorizationMiddleware(StepDelegate next, ReplayGuard replays, RefusalWriter refusals) : IStep
{
    public Task InvokeAsync(GatewayRequest request)
    {
        var context = request.Http;
        var refusal = Authorize(request);
        if (refusal == Refusal.SchemeNotAccepted)
        {
            context.Response.Headers.WWWAuthenticate = request.Subscription.Plan.Challenge;
        }
        else if (refusal == Refusal.InsufficientScope)
        {
            context.Response.Headers.WWWAuthenticate = request.Operation.Scopes!.Challenge;
        }

        return refusal != Refusal.None ? refusals.WriteAsync(this, request, refusal)
            : request.Signed is { } signed ? OnceAsync(context, request, signed)
            : next(request);
    }

    /// <summary>Fills in the subscription, or says why not. Allocates nothing.</summary>
    public static Refusal Authorize(GatewayRequest request)
    {
        if (request.Application.Suspended)
        {
            return Refusal.ApplicationSuspended;
        }

        if (request.Application.Find(request.Operation.Api.VersionId) is not { } subscription)
        {
            return Refusal.NotSubscribed;
        }

        if ((request.Operation.Api.Addresses is { } ofApi && !ofApi.Admits(request.ClientAddress))
            || (request.Application.Addresses is { } ofApplication && !ofApplication.Admits(request.ClientAddress)))
        {
            return Refusal.AddressNotAllowed;
        }

        request.Subscription = subscription;
        return (subscription.Plan.Schemes & request.Scheme) == CredentialScheme.None ? Refusal.SchemeNotAccepted
            : request.Operation.Scopes is { } scopes && !scopes.IsMet(request) ? Refusal.InsufficientScope
            : Refusal.None;
    }

    /// <summary>Only now: a nonce is used up by a request that may pass, not by one that somebody made up.</summary>
    private async Task OnceAsync(HttpContext context, GatewayRequest request, SignedRequest signed)
    {
        var refusal = signed.Nonce is not { } nonce ? (request.Subscription.Plan.ReplayCheck ? Refusal.IncompleteSignature : Refusal.None)
            : request.Purpose == RequestPurpose.Explanation ? (replays.IsUsed(nonce) ? Refusal.ReplayedRequest : Refusal.None)
            : !replays.TryUse(nonce) ? Refusal.ReplayedRequest
            : request.Subscription.Plan.ReplayCheck && !await replays.TryUseEverywhereAsync(signed, context.RequestAborted) ? Refusal.ReplayedRequest
            : Refusal.None;
        if (refusal == Refusal.None)
        {
            await next(request);
            return;
        }

        context.Response.Headers.WWWAuthenticate = request.Subscription.Plan.Challenge;
        await refusals.WriteAsync(this, request, refusal);
    }
}
