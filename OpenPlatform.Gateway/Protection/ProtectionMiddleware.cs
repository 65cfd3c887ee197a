using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Protection.Cors;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Protection;

/// <summary>
/// Answers CORS preflights (a browser sends them without a credential, so before one is asked for) → 204, 403; and sees to the headers
/// of every answer, whoever gives it: backend, cache or refusal.
/// </summary>
internal sealed class ProtectionMiddleware(StepDelegate next, RefusalWriter refusals) : IStep
{
    public Task InvokeAsync(GatewayRequest request)
    {
        var context = request.Http;
        if (request.Operation.Api.Protection is not { } protection)
        {
            return next(request);
        }

        context.Response.OnStarting(static state => Finish((GatewayRequest)state), request);
        if (protection.Cors is not { } cors || !Preflight.TryRead(context.Request, out var method))
        {
            return next(request);
        }

        if (!cors.TryAllow(context, method))
        {
            return refusals.WriteAsync(this, request, Refusal.OriginNotAllowed);
        }

        context.Response.StatusCode = StatusCodes.Status204NoContent;
        context.Response.Headers[RequestContextMiddleware.RequestIdHeader] = request.RequestId;
        return Task.CompletedTask;
    }

    private static Task Finish(GatewayRequest request)
    {
        var context = request.Http;
        var protection = request.Operation.Api.Protection!;
        var headers = context.Response.Headers;
        protection.ResponseHeaders?.Apply(headers);
        protection.Security?.Apply(headers, request.Origin.Scheme);
        if (request.Refusal != Refusal.OriginNotAllowed)
        {
            protection.Cors?.Mark(context.Request, headers);
        }

        return Task.CompletedTask;
    }
}
