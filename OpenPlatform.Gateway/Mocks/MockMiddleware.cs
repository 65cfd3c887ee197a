using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Mocks;

/// <summary>
/// Answers with the operation's example where the operator has said so, marked with <c>X-Mock: true</c>. Everything before it is real, so a
/// partner can build against it: credential, subscription, scopes, limits, the check of the body. Nothing is billed: nobody has served anything.
/// </summary>
internal sealed class MockMiddleware(RequestDelegate next)
{
    public const string Header = "X-Mock";

    public Task InvokeAsync(HttpContext context)
    {
        var request = GatewayRequest.Of(context);
        return request.Operation.Mock is { } mock ? mock.WriteAsync(context, request) : next(context);
    }
}
