using System.Text;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Forwarding;

namespace OpenPlatform.Gateway.Mocks;

/// <summary>The example of an operation, ready to be answered with.</summary>
internal sealed class MockModel(ExampleAnswer example)
{
    private readonly byte[]? _body = example.Body is { } text ? Encoding.UTF8.GetBytes(text) : null;

    /// <summary>For the operations of an API; null where the backend answers.</summary>
    public static Func<OperationModel, MockModel?> Compiler(ApiPolicies? policies) =>
        operation => operation.Policies?.Example is { } example && (operation.Policies.Mock ?? policies?.Mock) == true ? new(example) : null;

    public Task WriteAsync(HttpContext context, GatewayRequest request)
    {
        var response = context.Response;
        response.StatusCode = example.Status;
        response.Headers[MockMiddleware.Header] = "true";
        response.Headers.CacheControl = "no-store";
        GatewayTransformer.Stamp(response.Headers, request);
        if (_body is null)
        {
            return Task.CompletedTask;
        }

        response.ContentType = example.ContentType;
        response.ContentLength = _body.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : response.Body.WriteAsync(_body, context.RequestAborted).AsTask();
    }
}
