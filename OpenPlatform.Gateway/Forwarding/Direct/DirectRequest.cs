using System.Collections.Frozen;
using System.Diagnostics;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Authentication.Signatures;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Framing;
using OpenPlatform.Gateway.Resilience;

namespace OpenPlatform.Gateway.Forwarding.Direct;

/// <summary>Writes the head of a request as the backend sees it; what <see cref="GatewayTransformer"/> does for the other requests.</summary>
internal static class DirectRequest
{
    // Never the client's: the backend is told by the gateway, or not at all.
    private static readonly FrozenSet<string> Own = new[] { HeaderNames.Host, ApiKeyAuthenticator.KeyHeader, RequestContextMiddleware.RequestIdHeader }
        .ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public static void Write(RequestHeadBuffer head, HttpContext context, GatewayRequest request, string authority, ClientConnection? client)
    {
        var incoming = context.Request;
        head.Clear();
        head.Add(incoming.Method);
        head.Add(" "u8);
        var api = request.Operation.Api;
        var path = incoming.Path.Value.AsSpan(api.BasePath.Length);
        head.AddPath(path.IsEmpty ? "/" : path);
        head.AddQuery(incoming.QueryString.Value);
        head.Add(" HTTP/1.1\r\nHost: "u8);
        head.Add(authority);
        head.Add("\r\n"u8);

        AddClientHeaders(head, context, request);
        if (incoming.ContentLength is null && incoming.Method is "POST" or "PUT" or "PATCH")
        {
            head.Add("Content-Length: 0\r\n"u8);
        }

        head.Add("Via: 1.1 openplatform\r\n"u8);
        head.AddHeader(RequestContextMiddleware.RequestIdHeader, request.RequestId);
        if (client is null)
        {
            OriginLines.Write(head, request.Origin);
        }
        else
        {
            head.Add(client.Origin.For(request.Origin));
        }

        head.AddHeader("X-Forwarded-Prefix", api.BasePath);
        if (request.Deadline is { FirstByte: > 0 } deadline)
        {
            head.Add(Deadline.Header);
            head.Add(": "u8);
            head.Add(deadline.FirstByte);
            head.Add("\r\n"u8);
        }

        if (Activity.Current is { } unsampled)
        {
            DistributedContextPropagator.Current.Inject(unsampled, head, static (carrier, name, value) => ((RequestHeadBuffer)carrier!).AddHeader(name, value));
        }

        head.Add("\r\n"u8);
    }

    private static void AddClientHeaders(RequestHeadBuffer head, HttpContext context, GatewayRequest request)
    {
        var guard = request.Client?.Guard;
        var nominated = guard?.Request.Nominated;
        var mayClaim = guard is null || guard.Request.MayClaim;
        var isSigned = request.Scheme is CredentialScheme.Hmac or CredentialScheme.Signature;
        var traced = Activity.Current is null ? null : DistributedContextPropagator.Current.Fields;
        foreach (var (name, values) in context.Request.Headers)
        {
            if (Own.Contains(name) || HopByHop.Contains(name) || name[0] == ':'
                || (request.KeyInAuthorization && name.Equals(HeaderNames.Authorization, StringComparison.OrdinalIgnoreCase))
                || (request.Deadline is { FirstByte: > 0 } && name.Equals(Deadline.Header, StringComparison.OrdinalIgnoreCase))
                || (isSigned && SignatureHeaders.Contains(name))
                || (mayClaim && ProtectedHeaders.IsClaim(name))
                || (nominated is not null && nominated.Contains(name, StringComparer.OrdinalIgnoreCase))
                || (traced is not null && traced.Contains(name, StringComparer.OrdinalIgnoreCase)))
            {
                continue;
            }

            Add(head, name, values);
        }
    }

    /// <summary>Several lines of one name stay several lines.</summary>
    private static void Add(RequestHeadBuffer head, string name, in StringValues values)
    {
        for (var i = 0; i < values.Count; i++)
        {
            head.AddHeader(name, values[i]);
        }
    }
}
