using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Authentication;

/// <summary>Who calls → 401 with <c>WWW-Authenticate</c>.</summary>
internal sealed class AuthenticationMiddleware(RequestDelegate next, ApiKeyAuthenticator authenticator, RefusalWriter refusals)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = GatewayRequest.Of(context);
        var refusal = authenticator.Authenticate(context.Request, request);
        if (refusal == Refusal.None)
        {
            return next(context);
        }

        // RFC 6750, 3.1: no error code when nothing was presented.
        context.Response.Headers.WWWAuthenticate = refusal == Refusal.MissingKey
            ? "Bearer realm=\"openplatform\""
            : "Bearer realm=\"openplatform\", error=\"invalid_token\"";
        return refusals.WriteAsync(context, request, refusal);
    }
}
