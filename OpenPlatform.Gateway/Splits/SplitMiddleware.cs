using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Splits;

/// <summary>Which backend of the API is to answer; nearly always its only one. Never refuses.</summary>
internal sealed class SplitMiddleware(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = GatewayRequest.Of(context);
        var api = request.Operation.Api;
        request.Backend = api.Split is { } split ? split.Choose(context, request) : api.Backend;
        return next(context);
    }
}
