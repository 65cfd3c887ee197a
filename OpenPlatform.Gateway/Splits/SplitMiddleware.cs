using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Splits;

/// <summary>Which backend of the API is to answer; nearly always its only one. Never refuses.</summary>
internal sealed class SplitMiddleware(StepDelegate next) : IStep
{
    public Task InvokeAsync(GatewayRequest request)
    {
        var api = request.Operation.Api;
        request.Backend = api.Split is { } split ? split.Choose(request.Http, request) : api.Backend;
        return next(request);
    }
}
