using System.Text.Json;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Schemas;
using OpenPlatform.Gateway.Authentication.Signatures;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Protection.Bodies;

/// <summary>
/// The body is as large, of the type and of the content that the operation takes, and what its signature says → 400, 413, 415, 422. Behind
/// the limits: reading a body is work that only those within them may ask for. Rules for the request's headers are applied here, too,
/// when everything that is signed has been verified.
/// </summary>
internal sealed class RequestBodyMiddleware(StepDelegate next, IOptions<ProtectionOptions> options, RefusalWriter refusals) : IStep
{
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 64, AllowDuplicateProperties = false };

    private readonly int _limit = options.Value.MaxCheckedBodyBytes;

    public Task InvokeAsync(GatewayRequest request)
    {
        var context = request.Http;
        request.Operation.Api.Protection?.RequestHeaders?.Apply(context.Request.Headers);
        var digest = request.Signed?.Digest;
        var model = request.Operation.Body;
        if (digest is null && model is null)
        {
            return next(request);
        }

        var hasBody = SignedRequest.HasBody(context);
        var refusal = model?.CheckHead(context, hasBody) ?? Refusal.None;
        return refusal != Refusal.None ? refusals.WriteAsync(this, request, refusal)
            : hasBody && (digest is not null || model?.Schema is not null) ? CheckAsync(context, request, digest, model?.Schema)
            : next(request);
    }

    private async Task CheckAsync(HttpContext context, GatewayRequest request, ContentDigest? digest, JsonSchema? schema)
    {
        var (refusal, body) = await BodyReader.ReadAsync(context, _limit);
        IReadOnlyList<JsonSchemaError> errors = [];
        if (refusal == Refusal.None)
        {
            refusal = digest?.Matches(body.Span) == false ? Refusal.DigestMismatch
                : schema is not null && (errors = Validate(schema, body)).Count > 0 ? Refusal.BodyNotMatching
                : Refusal.None;
        }

        await (refusal == Refusal.None ? next(request) : refusals.WriteAsync(this, request, refusal, Members(errors)));
    }

    private static IReadOnlyList<JsonSchemaError> Validate(JsonSchema schema, ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body, Strict);
            return schema.Validate(json.RootElement);
        }
        catch (JsonException e)
        {
            return [new(string.Empty, $"must be JSON of at most 64 levels without repeated names; it is not in line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}")];
        }
    }

    /// <summary>As RFC 9457, 3 shows it: <c>"errors":[{"detail":…,"pointer":"#/…"}]</c>.</summary>
    private static string Members(IReadOnlyList<JsonSchemaError> errors) => errors.Count == 0 ? string.Empty
        : ",\"errors\":[" + string.Join(',', errors.Select(static e => $"{{\"detail\":{Json(e.Detail)},\"pointer\":{Json(Fragment(e.Pointer))}}}")) + "]";

    /// <summary>RFC 6901, 6.</summary>
    private static string Fragment(string pointer) => "#" + string.Join('/', pointer.Split('/').Select(Uri.EscapeDataString));

    private static string Json(string text) => $"\"{JsonEncodedText.Encode(text)}\"";
}
