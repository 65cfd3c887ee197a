using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Protocols;

namespace OpenPlatform.Gateway.Refusals;

/// <summary>Writes refusals as <c>application/problem+json</c> (RFC 9457) and counts them.</summary>
internal sealed class RefusalWriter
{
    public const string ContentType = "application/problem+json";

    private readonly byte[][] _heads;
    private readonly GatewayMetrics _metrics;

    public RefusalWriter(GatewayMetrics metrics)
    {
        _metrics = metrics;
        _heads = new byte[Enum.GetValues<Refusal>().Length][];
        foreach (var (refusal, shape) in RefusalTable.Shapes)
        {
            // Everything but the ids is the same each time: {"type":…,"title":…,"status":…,"detail":…,"requestId":"
            _heads[(int)refusal] = Encoding.UTF8.GetBytes(
                $$"""{"type":"{{shape.Type}}","title":"{{Escape(shape.Title)}}","status":{{shape.Status}},"detail":"{{Escape(shape.Detail)}}","requestId":" """.TrimEnd());
        }
    }

    /// <summary>Answers the request. Headers that belong to the refusal (<c>Allow</c>, <c>Retry-After</c>, …) are set by the caller.</summary>
    /// <param name="step">Who refuses; null: a fault, wherever it was.</param>
    /// <param name="members">Further members of the problem as JSON, each with a comma before it; or empty.</param>
    public Task WriteAsync(IStep? step, GatewayRequest request, Refusal refusal, string members = "")
    {
        request.Refusal = refusal;
        request.RefusedBy = step;
        if (request.Purpose == RequestPurpose.Traffic)
        {
            _metrics.Refused(refusal);
        }

        Activity.Current?.SetTag("openplatform.refusal", RefusalTable.Shapes[refusal].Slug);

        var context = request.Http;
        var response = context.Response;
        response.StatusCode = RefusalTable.Shapes[refusal].Status;
        response.ContentType = ContentType;
        response.Headers[RequestContextMiddleware.RequestIdHeader] = request.RequestId;
        response.Headers[HeaderNames.CacheControl] = "no-store";

        if (Grpc.Is(context.Request))
        {
            Grpc.Refuse(response, RefusalTable.Shapes[refusal]);
            return Task.CompletedTask;
        }

        // Ids of ours and accepted ids hold no character that JSON escapes.
        var tail = Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity
            ? $"{request.RequestId}\",\"traceId\":\"{activity.TraceId.ToHexString()}\"{members}}}"
            : $"{request.RequestId}\"{members}}}";
        var head = _heads[(int)refusal];
        var body = new byte[head.Length + Encoding.UTF8.GetByteCount(tail)];
        head.CopyTo(body, 0);
        Encoding.UTF8.GetBytes(tail, body.AsSpan(head.Length));
        response.ContentLength = body.Length;
        return HttpMethods.IsHead(context.Request.Method)
            ? Task.CompletedTask
            : response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }

    /// <summary>The problem of a request that never reached the pipeline; it is counted, too.</summary>
    public byte[] Content(Refusal refusal, string requestId)
    {
        _metrics.Refused(refusal);
        return [.. _heads[(int)refusal], .. Encoding.UTF8.GetBytes($"{requestId}\"}}")];
    }

    private static string Escape(string text) => JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString();
}
