using System.Net;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Authentication.Signatures;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Degradation;
using OpenPlatform.Gateway.Forwarding.Direct;
using OpenPlatform.Gateway.Framing;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Gateway.Protocols;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Resilience;
using OpenPlatform.Gateway.Splits;
using Yarp.ReverseProxy.Forwarder;

namespace OpenPlatform.Gateway.Forwarding;

/// <summary>
/// What the backend sees: the path below the base path, no key, who called (by address) and through whom. What the client sees:
/// the backend's answer, the request id and what is left of the limit. Hop-by-hop headers end here on both sides (YARP).
/// </summary>
internal sealed class GatewayTransformer : HttpTransformer
{
    public static GatewayTransformer Instance { get; } = new();

    /// <summary>What is logged of an answer whose head came when its time was over.</summary>
    public const string TooLate = "The head of the answer came too late.";

    private const string Via = "1.1 openplatform";

    public override async ValueTask TransformRequestAsync(
        HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);

        var request = GatewayRequest.Of(httpContext);
        var incoming = httpContext.Request;
        var headers = proxyRequest.Headers;

        headers.Remove(ApiKeyAuthenticator.KeyHeader);
        if (request.KeyInAuthorization)
        {
            headers.Remove(HeaderNames.Authorization);
        }

        if (request.Scheme is CredentialScheme.Hmac or CredentialScheme.Signature)
        {
            SignatureHeaders.RemoveFrom(headers);
        }

        HopByHop.Remove(request, headers);

        // The instance is named by its own address; the name the client used is in X-Forwarded-Host.
        headers.Host = null;
        headers.TryAddWithoutValidation(HeaderNames.Via, Via);
        headers.Remove(RequestContextMiddleware.RequestIdHeader);
        headers.TryAddWithoutValidation(RequestContextMiddleware.RequestIdHeader, request.RequestId);

        var origin = request.Origin;
        var address = origin.AddressText;
        headers.TryAddWithoutValidation("X-Forwarded-For", address);
        headers.TryAddWithoutValidation("X-Forwarded-Proto", origin.Scheme);
        headers.TryAddWithoutValidation("X-Forwarded-Prefix", request.Operation.Api.BasePath);
        var host = origin.Host;
        if (host.Length > 0)
        {
            headers.TryAddWithoutValidation("X-Forwarded-Host", host);
        }

        headers.TryAddWithoutValidation("Forwarded", OriginLines.Forwarded(origin, address));

        var path = incoming.Path.Value!;
        var below = Grpc.Is(incoming) ? Grpc.MethodOf(path) : path[request.Operation.Api.BasePath.Length..];
        if (request.Deadline is { FirstByte: > 0 } deadline)
        {
            headers.Remove(Deadline.Header);
            headers.TryAddWithoutValidation(Deadline.Header, deadline.FirstByte.ToString());
            Grpc.PassOn(headers, deadline.Whole);
        }

        if (request.Operation.Forward.Connect is { } connect)
        {
            proxyRequest.Options.Set(BackendConnection.ConnectTimeout, connect);
        }

        proxyRequest.RequestUri = RequestUtilities.MakeDestinationAddress(destinationPrefix, below.Length == 0 ? "/" : below, incoming.QueryString);
    }

    public override async ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (proxyResponse is null)
        {
            return false;
        }

        var request = GatewayRequest.Of(httpContext);
        if (request.Discards((int)proxyResponse.StatusCode) || request.GivesWay((int)proxyResponse.StatusCode))
        {
            return false;
        }

        if (!request.TryAnswer())
        {
            throw new TimeoutException(TooLate);
        }

        await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken); // false only for an answer that is not there
        if (proxyResponse.StatusCode == HttpStatusCode.SwitchingProtocols || HttpMethods.IsConnect(httpContext.Request.Method))
        {
            request.Meter?.Count(); // what follows is not a response body
            request.Client?.Guard?.Open(); // nor HTTP
        }

        Prepare(httpContext, request);
        if (Grpc.MustFlush(proxyResponse))
        {
            await httpContext.Response.Body.FlushAsync(cancellationToken);
        }

        return true;
    }

    /// <summary>The headers of the backend's answer are in place: adds the gateway's, and begins to keep it where it may be kept.</summary>
    public static void Prepare(HttpContext context, GatewayRequest request)
    {
        Stamp(context.Response.Headers, request);
        if (request.Operation.Api.Cache is { } policy)
        {
            CacheMiddleware.Begin(context, request, policy, request.Clock.GetUtcNow());
        }
    }

    /// <summary>What the gateway says on every answer that is not a refusal.</summary>
    public static void Stamp(IHeaderDictionary headers, GatewayRequest request)
    {
        headers[RequestContextMiddleware.RequestIdHeader] = request.RequestId;
        if (request.TightestLimit is { } limit)
        {
            var (left, reset) = limit.Remaining();
            headers[RateLimitFields.LimitHeader] = $"\"{limit.Limit.Name}\";r={left};t={reset}";
            headers[RateLimitFields.PolicyHeader] = request.Limits!.Policy;
        }

        if (request.Variant is { } variant)
        {
            headers[SplitModel.VariantHeader] = variant;
        }

        if (request.DegradedBecause != Refusal.None)
        {
            headers[DegradedAnswers.Header] = request.Degraded;
            headers[DegradedAnswers.StatusHeader] = DegradedAnswers.ProxyStatus(request.DegradedBecause);
        }
    }
}
