using System.Text;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Forwarding;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Degradation;

/// <summary>A compiled <see cref="DegradationPolicy"/>.</summary>
internal sealed class DegradationModel(DegradationPolicy policy, IReadOnlyDictionary<Guid, BackendState> backends)
{
    /// <summary>The operator's switch: the backend is not asked.</summary>
    public bool Switched { get; } = policy.Switched;

    public BackendState? Alternate { get; } = policy.AlternateBackendId is { } id ? backends[id] : null;

    public bool Stale { get; } = policy.Stale;

    /// <summary>Also for the backend's own server errors.</summary>
    public bool StaleForServerErrors { get; } = policy.StaleForServerErrors;

    public StaticAnswer? Static { get; } = policy.Static;

    public byte[] StaticBody { get; } = Encoding.UTF8.GetBytes(policy.Static?.Body ?? string.Empty);
}

/// <summary>What stands in for a backend's answer, and how a client sees that it does: <c>X-Degraded</c> and <c>Proxy-Status</c> (RFC 9209).</summary>
internal sealed class DegradedAnswers(ResponseCache cache, TimeProvider time, GatewayMetrics metrics)
{
    public const string Header = "X-Degraded";
    public const string StatusHeader = "Proxy-Status";
    public const string Alternate = "alternate";
    private const string Stale = "stale";
    private const string Static = "static";

    /// <summary>The kept or the static answer in place of <paramref name="failure"/>; false when there is neither.</summary>
    public bool TryWrite(HttpContext context, GatewayRequest request, Refusal failure, out Task written)
    {
        written = Task.CompletedTask;
        if (request.Operation.Api.Degradation is not { } degradation || failure is not (Refusal.BackendSwitchedOff or Refusal.CircuitOpen or Refusal.NoInstance
            or Refusal.BackendUnreachable or Refusal.BackendFailed or Refusal.BackendTimeout))
        {
            return false;
        }

        var now = time.GetUtcNow();
        if (degradation.Stale && request.Operation.Api.Cache is not null && CacheRules.MayUse(context.Request, request)
            && (request.StandIn ?? cache.Find(CacheMiddleware.Key(context, request), request.Application.ApplicationId, context.Request.Headers)) is { } kept && kept.MayStandIn(now))
        {
            Mark(context, request, Stale, failure);
            written = CacheMiddleware.WriteAsync(context, request, kept, $"openplatform; hit; ttl={kept.FreshSeconds - kept.Age(now)}; detail=stale-if-error", now);
            return true;
        }

        if (degradation.Static is { } answer && (answer.ForAllMethods || context.Request.Method is "GET" or "HEAD"))
        {
            Mark(context, request, Static, failure);
            written = WriteStaticAsync(context, request, answer, degradation.StaticBody);
            return true;
        }

        return false;
    }

    /// <summary>Says on the answer that it is none of the backend itself.</summary>
    public void Mark(HttpContext context, GatewayRequest request, string kind, Refusal failure)
    {
        request.Degraded = kind;
        metrics.Degraded(kind);
        var headers = context.Response.Headers;
        headers[Header] = kind;
        headers[StatusHeader] = request.ReplacedStatus == 0 ? ProxyStatus(failure) : $"openplatform; received-status={request.ReplacedStatus}";
    }

    /// <summary>RFC 9209, 2.3: what went wrong on the way to the backend; null when nothing did.</summary>
    public static string? ProxyStatus(Refusal failure) => failure switch
    {
        Refusal.BackendSwitchedOff => "openplatform; error=proxy_internal_response",
        Refusal.CircuitOpen or Refusal.NoInstance => "openplatform; error=destination_unavailable",
        Refusal.BackendUnreachable => "openplatform; error=connection_refused",
        Refusal.BackendFailed => "openplatform; error=connection_terminated",
        Refusal.BackendTimeout => "openplatform; error=http_response_timeout",
        Refusal.Overloaded or Refusal.TooManyAtOnce => "openplatform; error=connection_limit_reached",
        _ => null,
    };

    private static Task WriteStaticAsync(HttpContext context, GatewayRequest request, StaticAnswer answer, byte[] body)
    {
        var response = context.Response;
        response.StatusCode = answer.Status;
        response.ContentType = answer.ContentType;
        response.ContentLength = body.Length;
        response.Headers.CacheControl = "no-store";
        GatewayTransformer.Stamp(response.Headers, request);
        return context.Request.Method == "HEAD" ? Task.CompletedTask : response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
