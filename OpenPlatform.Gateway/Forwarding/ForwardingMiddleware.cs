using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;
using OpenPlatform.Gateway.Balancing;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Degradation;
using OpenPlatform.Gateway.Forwarding.Direct;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Observability;
using OpenPlatform.Gateway.Overload;
using OpenPlatform.Gateway.Protocols;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Resilience;
using Yarp.ReverseProxy.Forwarder;

namespace OpenPlatform.Gateway.Forwarding;

/// <summary>
/// Through the doors of the backend, to an instance, and when that fails before the client got anything, to another one → 502, 503, 504,
/// or what stands in for the answer. One await chain: everything between two tries is decided without waiting.
/// </summary>
internal sealed class ForwardingMiddleware(
    StepDelegate next, IHttpForwarder forwarder, BackendConnection connection, DirectForwarder direct, OverloadGates gates, DegradedAnswers degraded, RefusalWriter refusals,
    GatewayMetrics metrics, RequestMetrics requests, TimeProvider time, ILogger<ForwardingMiddleware> logger) : IStep
{
    [InlineArray(2)]
    private struct TriedInstances
    {
        private Instance? _first;
    }

    private readonly StepDelegate _ = next; // the last step

    public async Task InvokeAsync(GatewayRequest request)
    {
        var context = request.Http;
        var forward = request.Operation.Forward;
        var degradation = request.Operation.Api.Degradation;
        var admission = default(Admission);
        var failure = degradation is { Switched: true } ? Refusal.BackendSwitchedOff : admission.TryEnter(request, forward, gates);
        bool? success = null;
        try
        {
            if (failure == Refusal.None || ToAlternate(context, request, degradation, failure))
            {
                failure = Refusal.NoInstance;
                request.Backend.Retries.Earn();
                var endsAt = EndsAt(context, request, forward);
                var tried = default(TriedInstances);
                var pick = PickContext.For(request, request.MayRepeat);
                for (var attempt = 0; ;)
                {
                    var instance = request.Backend.Pick(pick, tried);
                    if (instance is not null)
                    {
                        var error = ForwarderError.RequestCreation;
                        var isDirect = DirectForwarder.Reaches(instance) && DirectForwarder.Takes(context, request);
                        var elsewhere = BeginTry(context, request, instance, forward, attempt, endsAt, isDirect);
                        var began = time.GetTimestamp();
                        try
                        {
                            error = isDirect ? await direct.SendAsync(context, request, instance, elsewhere) : await forwarder.SendAsync(
                                WithState(context, request), instance.Prefix, connection.Invoker, forward.Versions.For(request.Backend.Model), GatewayTransformer.Instance, request.Deadline?.Token ?? CancellationToken.None);
                        }
                        finally
                        {
                            failure = EndTry(context, request, instance, error, began, attempt, isDirect);
                        }

                        if (failure == Refusal.None)
                        {
                            success = request.Degraded is null ? context.Response.StatusCode < StatusCodes.Status500InternalServerError : success;
                            request.AnsweredWhole = true;
                            return;
                        }

                        if (context.Response.HasStarted || context.RequestAborted.IsCancellationRequested)
                        {
                            success = request.AnswerBroken && request.Degraded is null && !context.RequestAborted.IsCancellationRequested ? false : success;
                            DirectForwarder.Break(context);
                            return;
                        }

                        if (MayTryAgain(request, failure, attempt, endsAt))
                        {
                            tried[attempt++] = instance;
                            continue;
                        }
                    }

                    // A request that spoke for the backend itself: what becomes of it elsewhere says nothing more about it.
                    success = request.Degraded is null && IsOfBackend(failure) ? false : success;
                    if (request.ReplacedStatus != 0 || !(instance is null || failure == Refusal.BackendUnreachable || request.MayRepeatNow) || !ToAlternate(context, request, degradation, failure))
                    {
                        break;
                    }

                    (attempt, tried) = (0, default);
                    pick = PickContext.For(request, request.MayRepeat);
                }
            }
        }
        finally
        {
            request.Replay?.Dispose();
            if (admission.Leave(request, forward, success))
            {
                logger.BreakerChanged(request.Operation.Api.Name, request.Operation.Api.Version, forward.Breaker!.IsOpen ? "open" : "closed");
            }
        }

        await (degraded.TryWrite(context, Reset(context, request), failure, out var written) ? written : RefuseAsync(context, request, failure));
    }

    /// <summary>Sends the request, from its next try on, to the alternate backend; false when there is none, or it is there already.</summary>
    private bool ToAlternate(HttpContext context, GatewayRequest request, DegradationModel? degradation, Refusal failure)
    {
        if (degradation?.Alternate is not { } alternate || request.Degraded is not null || (failure != Refusal.BackendSwitchedOff && failure != Refusal.CircuitOpen && !IsOfBackend(failure)))
        {
            return false;
        }

        request.Backend = alternate;
        alternate.Retries.Earn();
        request.LeaveOverload(sample: false); // it waits for another backend now
        request.DegradedBecause = failure;
        request.Degraded = DegradedAnswers.Alternate;
        metrics.Degraded(DegradedAnswers.Alternate);
        return true;
    }

    /// <summary>When the request must have been answered, in <see cref="Environment.TickCount64"/>; and whether its body must be kept.</summary>
    private static long EndsAt(HttpContext context, GatewayRequest request, ForwardModel forward)
    {
        request.HasBody = context.Features.Get<IHttpRequestBodyDetectionFeature>() is not { CanHaveBody: false };
        request.MayRepeat = forward.Idempotent;
        if (request.HasBody && forward.Idempotent && !HttpMethods.IsConnect(context.Request.Method))
        {
            request.MayRepeat = forward.Retries > 0 && forward.MaxReplayBytes > 0 && !(context.Request.ContentLength > forward.MaxReplayBytes);
            if (request.MayRepeat)
            {
                context.Request.Body = request.Replay = new ReplayBody(context.Request.Body, forward.MaxReplayBytes);
            }
        }

        if (request.HasBody && request.Replay is null && forward.FirstByte > 0 && !HttpMethods.IsConnect(context.Request.Method) && !Grpc.Is(context.Request))
        {
            context.Request.Body = request.Streamed = new(context.Request.Body, request); // not gRPC's: a stream there may begin to answer when it likes
        }

        var wait = Math.Min(Grpc.Asked(context.Request.Headers), forward.Total == 0 ? int.MaxValue : Math.Min(forward.Total, Deadline.Asked(context.Request.Headers)));
        return wait == int.MaxValue ? long.MaxValue : Environment.TickCount64 + wait;
    }

    /// <returns>True when another instance can answer, should this one turn out to be frozen.</returns>
    private bool BeginTry(HttpContext context, GatewayRequest request, Instance instance, ForwardModel forward, int attempt, long endsAt, bool isDirect)
    {
        if (request.Instance is not null)
        {
            Reset(context, request);
            metrics.Retried();
        }

        request.Instance = instance;
        request.Clock = time;
        request.HeadAt = 0;
        request.BackendStatus = 0;
        request.MayDiscard = forward.RetryStatuses != 0 && attempt < forward.Retries && request.MayRepeat && request.Backend.Ready.Length > attempt + 1;

        // While a body streams in, only silence counts: a slow client is not a slow backend. At its end the first byte is awaited.
        var elsewhere = request.MayRepeat && attempt < forward.Retries && request.Backend.Ready.Length > attempt + 1;
        request.Deadline = Deadline.Start(
            request.HasBody && request.Replay is null ? 0 : forward.FirstByte, endsAt, evenUnlimited: (elsewhere && !isDirect) || request.Streamed is not null);
        request.Abandoned = false;
        request.ForwardFailure = null;
        request.Watch = elsewhere && !isDirect ? instance.Silenced.UnsafeRegister(static abandoned => ((GatewayRequest)abandoned!).Abandon(), request) : default;
        instance.Begin();
        return elsewhere;
    }

    /// <summary>Tells the instance and the log how a try ended.</summary>
    /// <returns>None: the client has its answer.</returns>
    private Refusal EndTry(HttpContext context, GatewayRequest request, Instance instance, ForwarderError error, long began, int attempt, bool isDirect)
    {
        var exception = error == ForwarderError.None ? null : request.ForwardFailure ?? context.Features.Get<IForwarderErrorFeature>()?.Exception;
        var late = error == ForwarderError.RequestTimedOut
            || (error != ForwarderError.None && request.Deadline is { } deadline && (deadline.IsLate || deadline.IsCancellationRequested) && !context.RequestAborted.IsCancellationRequested);
        request.Watch.Dispose();
        request.EndDeadline();
        var failure = FailureOf(error, exception, late, request, context);
        var ended = request.HeadAt == 0 ? time.GetTimestamp() : request.HeadAt;
        instance.End(OutcomeOf(error, failure, context), ended - began);
        if (isDirect)
        {
            requests.Sent(instance, context.Request.Method, request.BackendStatus, time.GetElapsedTime(began, ended));
        }

        if (late)
        {
            request.LeaveOverload(sample: true);
        }

        if (failure == Refusal.None)
        {
            return failure;
        }

        request.AnswerBroken = late || error is ForwarderError.ResponseBodyDestination or ForwarderError.ResponseHeaders;
        logger.TryFailed(attempt + 1, instance.Prefix, request.Backend.Model.Name, error, exception?.GetBaseException().Message ?? "unknown");
        return failure;
    }

    /// <summary>
    /// Nothing reached an instance: any request, its body is still unread. Something may have: what RFC 9110, 9.2.2 calls idempotent, while its
    /// body can be sent again, at the cost of the backend's budget.
    /// </summary>
    private static bool MayTryAgain(GatewayRequest request, Refusal failure, int attempt, long endsAt)
    {
        var forward = request.Operation.Forward;
        if (request.ReplacedStatus != 0 || attempt >= forward.Retries || request.Backend.Ready.Length <= attempt + 1 || !IsOfBackend(failure) || endsAt <= Environment.TickCount64)
        {
            return false;
        }

        return failure switch
        {
            Refusal.BackendUnreachable => true,
            Refusal.BackendTimeout when request.Abandoned => request.MayRepeatNow,
            Refusal.BackendTimeout when forward.FirstByte == 0 => false, // who sets no limit says that slow is not broken
            _ => request.MayRepeatNow && (request.Discarded || request.Backend.Retries.TrySpend()),
        };
    }

    /// <summary>True when the failure is the backend's, not the client's or ours.</summary>
    private static bool IsOfBackend(Refusal failure) =>
        failure is Refusal.NoInstance or Refusal.BackendUnreachable or Refusal.BackendFailed or Refusal.BackendTimeout;

    /// <summary>For the transformer.</summary>
    private static HttpContext WithState(HttpContext context, GatewayRequest request)
    {
        context.Features.Set(request);
        return context;
    }

    /// <summary>Undoes what the forwarder has left of a failed try.</summary>
    private static GatewayRequest Reset(HttpContext context, GatewayRequest request)
    {
        context.Response.StatusCode = StatusCodes.Status200OK;
        context.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = null;
        context.Features.Set<IForwarderErrorFeature>(null);
        request.AnsweredByBackend = false;
        request.Discarded = false;
        request.Replay?.Rewind();
        return request;
    }

    private Task RefuseAsync(HttpContext context, GatewayRequest request, Refusal failure)
    {
        var headers = context.Response.Headers;
        if (RefusalTable.Shapes[failure].Status == StatusCodes.Status503ServiceUnavailable || failure == Refusal.BackendUnreachable)
        {
            headers.RetryAfter = "1";
        }

        if (DegradedAnswers.ProxyStatus(failure) is { } status)
        {
            headers[DegradedAnswers.StatusHeader] = status;
        }

        return refusals.WriteAsync(this, request, failure);
    }

    private static Outcome OutcomeOf(ForwarderError error, Refusal failure, HttpContext context) => failure switch
    {
        Refusal.None => context.Response.StatusCode >= StatusCodes.Status500InternalServerError ? Outcome.ServerError : Outcome.Success,
        Refusal.BackendUnreachable => Outcome.ConnectError,
        Refusal.BackendTimeout => Outcome.Timeout,
        Refusal.BackendFailed when error == ForwarderError.None => Outcome.ServerError,
        Refusal.BackendFailed when error is ForwarderError.Request or ForwarderError.RequestBodyDestination or ForwarderError.ResponseHeaders or ForwarderError.ResponseBodyDestination => Outcome.Broken,
        _ => Outcome.Cancelled,
    };

    private static Refusal FailureOf(ForwarderError error, Exception? exception, bool late, GatewayRequest request, HttpContext context) => error switch
    {
        ForwarderError.None => request.Discarded ? Refusal.BackendFailed : Refusal.None,
        _ when late => Refusal.BackendTimeout,
        ForwarderError.Request when IsConnectError(exception) => Refusal.BackendUnreachable,
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

    private static bool IsConnectError(Exception? exception) =>
        exception is HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError
        };
}
