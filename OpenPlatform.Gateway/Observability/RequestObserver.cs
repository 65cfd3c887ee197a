using System.Diagnostics;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Observability;

/// <summary>
/// Around all steps: when a request has ended, its access log line, the attributes of its span, and, for a sample and for every
/// refusal, what each step decided. The sample runs through a pipeline of its own, so that all others pass no clock.
/// </summary>
internal sealed class RequestObserver(AccessLog log, DecisionRing ring, GatewayMetrics metrics, RequestMetrics requests, IOptions<ObservabilityOptions> options, TimeProvider time)
{
    private readonly int _every = options.Value.DecisionEvery;
    private readonly List<string> _names = [];
    private RequestDelegate _plain = null!;
    private RequestDelegate _timed = null!;
    private RequestDelegate _rehearsed = null!;
    private int _sending = -1;

    [ThreadStatic]
    private static int _count;

    public void Build(IApplicationBuilder pipeline, Action<IApplicationBuilder> steps)
    {
        _plain = Build(pipeline.New());
        _timed = Build(new StepsBuilder(pipeline.New(), _names, rehearsal: false));
        _rehearsed = Build(new StepsBuilder(pipeline.New(), _names, rehearsal: true));
        _sending = _names.IndexOf("forwarding");

        RequestDelegate Build(IApplicationBuilder builder)
        {
            steps(builder);
            builder.Run(static context => // where a rehearsal ends; for all others the last step is the end
            {
                context.Response.StatusCode = StatusCodes.Status200OK;
                return Task.CompletedTask;
            });
            return builder.Build();
        }
    }

    public Task InvokeAsync(HttpContext context)
    {
        var began = Stopwatch.GetTimestamp();
        var begun = requests.Begin(context.Request);
        StepClock? clock = null;
        if (_every > 0 && ++_count % _every == 0)
        {
            context.Features.Set(clock = new());
        }

        var running = (clock is null ? _plain : _timed)(context);
        if (!running.IsCompletedSuccessfully)
        {
            return FinishAsync(running, context, began, begun, clock);
        }

        Finish(context, began, begun, clock);
        return Task.CompletedTask;
    }

    /// <summary>What every step would decide about a request, up to the one that would send it on. Nothing is taken, used up or counted; whether
    /// other gateways have seen a signature's nonce is not asked.</summary>
    public async Task<RequestDecisions> RehearseAsync(HttpContext context)
    {
        var began = Stopwatch.GetTimestamp();
        var clock = new StepClock();
        context.Features.Set(clock);
        await _rehearsed(context);
        return Decisions(context, context.Features.Get<GatewayRequest>()!, began, clock);
    }

    private async Task FinishAsync(Task running, HttpContext context, long began, int begun, StepClock? clock)
    {
        try
        {
            await running;
        }
        finally
        {
            Finish(context, began, begun, clock);
        }
    }

    private void Finish(HttpContext context, long began, int begun, StepClock? clock)
    {
        var request = context.Features.Get<GatewayRequest>();
        var status = context.Response.StatusCode;
        var elapsed = Stopwatch.GetElapsedTime(began, Stopwatch.GetTimestamp());
        requests.End(begun, status, elapsed, counts: request is not { Purpose: not RequestPurpose.Traffic });
        if (request is not { Purpose: RequestPurpose.Traffic })
        {
            return;
        }

        var refusal = request.Refusal;
        if (log.Wants(refusal == Refusal.None && status < StatusCodes.Status500InternalServerError))
        {
            log.Write(new(
                time.GetUtcNow().UtcDateTime - elapsed, elapsed.TotalMilliseconds, context.Request.Method, status, refusal, request.Operation, request.Application?.ApplicationId ?? default,
                request.RequestId, Activity.Current?.TraceId ?? default, request.Instance?.Prefix, request.ClientAddress));
        }

        if (clock is not null && _sending >= 0 && clock.Entered(_sending) is not 0 and var sent)
        {
            metrics.Added(Stopwatch.GetElapsedTime(began, sent));
        }

        if (clock is not null || refusal != Refusal.None)
        {
            ring.Add(Decisions(context, request, began, clock));
        }

        if (Activity.Current is { IsAllDataRequested: true } span)
        {
            Describe(span, request);
        }
    }

    private static void Describe(Activity span, GatewayRequest request)
    {
        if (request.Operation is { } operation)
        {
            span.SetTag("openplatform.api", operation.Api.Name).SetTag("openplatform.version", operation.Api.Version).SetTag("openplatform.operation", operation.OperationId);
        }

        if (request.Application is { } application)
        {
            span.SetTag("openplatform.application", application.ApplicationId.ToString());
        }

        if (request.Subscription is { } subscription)
        {
            span.SetTag("openplatform.subscription", subscription.SubscriptionId.ToString());
        }

        if (request.TightestLimit is { } limit)
        {
            span.SetTag("openplatform.limit", limit.Limit.Name);
        }

        if (request.Instance is { } instance)
        {
            span.SetTag("openplatform.backend", request.Backend.Model.Name).SetTag("openplatform.instance", instance.Prefix);
        }
    }

    private RequestDecisions Decisions(HttpContext context, GatewayRequest request, long began, StepClock? clock)
    {
        var end = Stopwatch.GetTimestamp();
        var refusal = request.Refusal == Refusal.None ? null : RefusalTable.Shapes[request.Refusal].Slug;
        StepDecision[] steps = clock is null ? [] : [.. clock.Read(end).Select(s => new StepDecision(_names[s.Step], Math.Round(s.Microseconds, 1), DecisionOf(_names[s.Step], request)))];
        if (steps.Length > 0 && refusal is not null)
        {
            steps[^1] = steps[^1] with { Decision = "refused: " + refusal };
        }

        return new(
            request.RequestId, time.GetUtcNow(), context.Request.Method, context.Response.StatusCode, refusal, request.Operation?.RouteText, request.Application?.ApplicationId,
            request.Subscription?.Plan.PlanId.ToString(), request.Instance?.Prefix, Math.Round(Stopwatch.GetElapsedTime(began, end).TotalMicroseconds, 1), steps);
    }

    /// <summary>In the words of the step's own result.</summary>
    private static string? DecisionOf(string step, GatewayRequest request) => step switch
    {
        "request-context" => $"revision {request.Snapshot.Revision}, client {request.Origin.AddressText}",
        "route" when request.Operation is { } operation => $"{operation.Method} {operation.RouteText} ({operation.OperationId})",
        "lifecycle" when request.Operation is { } operation => operation.Api.Lifecycle?.State ?? LifecycleStates.Published,
        "authentication" when request.Application is { } application => $"application {application.ApplicationId}",
        "authorization" when request.Subscription is { } subscription => $"subscription {subscription.SubscriptionId}, plan {subscription.Plan.PlanId}",
        "rate-limit" => request.TightestLimit is { } limit ? $"{limit.Limit.Name}: {limit.Remaining().Left} left" : "no limit",
        "split" when request.Backend is { } backend => $"backend {backend.Model.Name}",
        "forwarding" when request.Instance is { } instance => $"instance {instance.Prefix}",
        _ => null,
    };
}
