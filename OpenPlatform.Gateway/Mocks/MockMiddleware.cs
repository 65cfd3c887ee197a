using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Mocks;

/// <summary>
/// Answers with the operation's example where the operator has said so, marked with <c>X-Mock: true</c>. Everything before it is real, so a
/// partner can build against it: credential, subscription, scopes, limits, the check of the body. Nothing is billed: nobody has served anything.
/// </summary>
internal sealed class MockMiddleware(StepDelegate next) : IStep
{
    public const string Header = "X-Mock";

    public Task InvokeAsync(GatewayRequest request) => request.Operation.Mock is { } mock ? mock.WriteAsync(request.Http, request) : next(request);
}
