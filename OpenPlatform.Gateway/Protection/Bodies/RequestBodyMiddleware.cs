using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Authentication.Signatures;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Protection.Bodies;

/// <summary>
/// The body is what its signature says → 400, 413. Behind the limits: reading a body is work that only those within them may ask for.
/// </summary>
internal sealed class RequestBodyMiddleware(RequestDelegate next, IOptions<ProtectionOptions> options, RefusalWriter refusals)
{
    private readonly int _limit = options.Value.MaxCheckedBodyBytes;

    public Task InvokeAsync(HttpContext context)
    {
        var request = GatewayRequest.Of(context);
        return request.Signed?.Digest is { } digest ? CheckAsync(context, request, digest) : next(context);
    }

    private async Task CheckAsync(HttpContext context, GatewayRequest request, ContentDigest digest)
    {
        var (refusal, body) = await BodyReader.ReadAsync(context, _limit);
        if (refusal == Refusal.None && !digest.Matches(body.Span))
        {
            refusal = Refusal.DigestMismatch;
        }

        await (refusal == Refusal.None ? next(context) : refusals.WriteAsync(context, request, refusal));
    }
}
