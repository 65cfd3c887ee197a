using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Balancing;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Refusals;
using Yarp.ReverseProxy.Forwarder;

namespace OpenPlatform.Gateway.Forwarding;

/// <summary>
/// Picks an instance and forwards; when that fails before the client got anything, and the request may be repeated, tries
/// another → 502, 503, 504.
/// </summary>
internal sealed class ForwardingMiddleware
{
    [InlineArray(2)]
    private struct TriedInstances
    {
        private Instance? _first;
    }

    private readonly IHttpForwarder _forwarder;
    private readonly BackendConnection _connection;
    private readonly RefusalWriter _refusals;
    private readonly GatewayMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly int _retries;
    private readonly ForwarderRequestConfig _config;

    public ForwardingMiddleware(
        RequestDelegate next, IHttpForwarder forwarder, BackendConnection connection, RefusalWriter refusals, GatewayMetrics metrics, IOptions<ForwardingOptions> options,
        TimeProvider time, ILogger<ForwardingMiddleware> logger)
    {
        _ = next; // the last step
        _forwarder = forwarder;
        _connection = connection;
        _refusals = refusals;
        _metrics = metrics;
        _time = time;
        _logger = logger;
        _retries = options.Value.Retries;
        _config = new() { ActivityTimeout = options.Value.ActivityTimeout };
    }

    public async Task InvokeAsync(HttpContext context)
    {
        var request = GatewayRequest.Of(context);
        var backend = request.Operation.Api.Backend;
        var tried = default(TriedInstances);
        var failure = Refusal.NoInstance;
        var pick = PickContext.For(backend, context, MayRepeat(context, notConnected: false));
        for (var attempt = 0; ; attempt++)
        {
            if (backend.Pick(pick, tried) is not { } instance)
            {
                break;
            }

            request.Instance = instance;
            if (attempt > 0)
            {
                Reset(context);
                _metrics.Retried();
            }

            instance.Begin();
            var began = _time.GetTimestamp();
            var error = ForwarderError.RequestCreation;
            try
            {
                error = await _forwarder.SendAsync(context, instance.Prefix, _connection.Invoker, _config, GatewayTransformer.Instance);
            }
            finally
            {
                instance.End(OutcomeOf(error, context), _time.GetTimestamp() - began);
            }

            if (error == ForwarderError.None)
            {
                return;
            }

            var exception = context.Features.Get<IForwarderErrorFeature>()?.Exception;
            var reason = exception?.GetBaseException().Message ?? "unknown";
            _logger.TryFailed(attempt + 1, instance.Prefix, backend.Model.Name, error, reason);
            var notConnected = error == ForwarderError.Request && IsConnectError(exception);
            request.AnswerBroken = error is ForwarderError.ResponseBodyDestination or ForwarderError.ResponseHeaders;
            if (context.Response.HasStarted || context.RequestAborted.IsCancellationRequested)
            {
                return;
            }

            failure = RefusalOf(error, context, notConnected);
            if (error != ForwarderError.Request || attempt >= _retries || !MayRepeat(context, notConnected))
            {
                break;
            }

            tried[attempt] = instance;
        }

        Reset(context);
        request.AnsweredByBackend = false;
        if (failure is Refusal.NoInstance or Refusal.BackendUnreachable)
        {
            context.Response.Headers.RetryAfter = "1";
        }

        await _refusals.WriteAsync(context, request, failure);
    }

    /// <summary>
    /// Nothing reached an instance: any request, its body is still unread. Something may have: what RFC 9110, 9.2.2 calls
    /// idempotent, and only without a body, because a body is not kept.
    /// </summary>
    private static bool MayRepeat(HttpContext context, bool notConnected) =>
        notConnected
        || (context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false }
            && context.Request.Method is "GET" or "HEAD" or "OPTIONS" or "PUT" or "DELETE");

    private static bool IsConnectError(Exception? exception) =>
        exception is HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError
        };

    private static Outcome OutcomeOf(ForwarderError error, HttpContext context) => error switch
    {
        ForwarderError.None => context.Response.StatusCode >= StatusCodes.Status500InternalServerError ? Outcome.ServerError : Outcome.Success,
        ForwarderError.Request => IsConnectError(context.Features.Get<IForwarderErrorFeature>()?.Exception) ? Outcome.ConnectError : Outcome.Broken,
        ForwarderError.RequestTimedOut => Outcome.Timeout,
        ForwarderError.ResponseHeaders or ForwarderError.ResponseBodyDestination => Outcome.Broken,
        _ => Outcome.Cancelled,
    };

    /// <summary>Undoes what the forwarder has left of a failed try.</summary>
    private static void Reset(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status200OK;
        context.Features.Set<IForwarderErrorFeature>(null);
    }

    private static Refusal RefusalOf(ForwarderError error, HttpContext context, bool notConnected) => error switch
    {
        ForwarderError.Request when notConnected => Refusal.BackendUnreachable,
        ForwarderError.RequestTimedOut => Refusal.BackendTimeout,
        ForwarderError.RequestBodyClient => context.Response.StatusCode switch
        {
            StatusCodes.Status413PayloadTooLarge => Refusal.RequestBodyTooLarge,
            StatusCodes.Status408RequestTimeout => Refusal.RequestBodyTimeout,
            _ => Refusal.BadRequestBody,
        },
        ForwarderError.RequestBodyDestination when context.Response.StatusCode == StatusCodes.Status504GatewayTimeout => Refusal.BackendTimeout,
        ForwarderError.RequestCreation => Refusal.InternalError,
        _ => Refusal.BackendFailed,
    };
}
