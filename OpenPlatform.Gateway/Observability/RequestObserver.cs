using System.Diagnostics;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Observability;

/// <summary>
/// Around all steps, and the only one that waits for them: when a request has ended, its usage, its access log line, the attributes of its span, and, for a
/// sample and for every refusal, what each step decided. The sample runs through a pipeline of its own, so that all others pass no clock.
/// </summary>
internal sealed class RequestObserver(
    RequestContext contexts, FaultRefusals faults, AccessLog log, DecisionRing ring, GatewayMetrics metrics, RequestMetrics requests, IOptions<ObservabilityOptions> options, TimeProvider time)
{
    /// <summary>A request that its client gives up later than this was meant.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    private readonly int _every = options.Value.DecisionEvery;
    private IReadOnlyList<string> _names = [];
    private StepDelegate _plain = null!;
    private StepDelegate _timed = null!;
    private StepDelegate _rehearsed = null!;
    private int _sending = -1;

    [ThreadStatic]
    private static int _count;

    public void Build(Steps steps)
    {
        _plain = steps.Build(timed: false);
        _timed = steps.Build(timed: true);
        _rehearsed = steps.BuildRehearsal();
        _names = steps.Names;
        _sending = steps.Names.ToList().IndexOf("forwarding");
    }

    public Task InvokeAsync(HttpContext context) => InvokeAsync(contexts.Begin(context));

    public Task InvokeAsync(GatewayRequest request)
    {
        var began = Stopwatch.GetTimestamp();
        var begun = requests.Begin(request.Http.Request);
        var isSample = _every > 0 && (++_count % _every == 0 || request.Client is { WasRefused: true });
        if (isSample)
        {
            request.Clocked = new();
        }

        Task running;
        try
        {
            running = (isSample ? _timed : _plain)(request);
        }
        catch (Exception e)
        {
            running = Task.FromException(e);
        }

        if (!running.IsCompletedSuccessfully)
        {
            return FinishAsync(running, request, began, begun);
        }

        request.Meter?.Finish();
        Finish(request, began, begun);
        return Task.CompletedTask;
    }

    /// <summary>What every step would decide about a request, up to the one that would send it on. Nothing is taken, used up or counted; whether
    /// other gateways have seen a signature's nonce is not asked.</summary>
    public async Task<RequestDecisions> RehearseAsync(HttpContext context)
    {
        var began = Stopwatch.GetTimestamp();
        var request = contexts.Begin(context, RequestPurpose.Explanation);
        request.Clocked = new();
        await _rehearsed(request);
        return new RecordedRequest(request, _names, began, time.GetUtcNow()).Explain();
    }

    private async Task FinishAsync(Task running, GatewayRequest request, long began, int begun)
    {
        try
        {
            await running;
            request.Meter?.Finish();
        }
        catch (Exception e)
        {
            await faults.AnswerAsync(request, e);
        }
        finally
        {
            Finish(request, began, begun);
        }
    }

    private void Finish(GatewayRequest request, long began, int begun)
    {
        var http = request.Http;
        var status = http.Response.StatusCode;
        var elapsed = Stopwatch.GetElapsedTime(began, Stopwatch.GetTimestamp());
        requests.End(begun, status, elapsed, counts: request.Purpose == RequestPurpose.Traffic);
        if (request.Purpose != RequestPurpose.Traffic)
        {
            return;
        }

        if (request.Client is null && http.Features.Get<ClientConnection>() is { } shared
            && !shared.Ended(givenUp: elapsed < Soon && http.RequestAborted.IsCancellationRequested))
        {
            http.Features.Get<IConnectionLifetimeFeature>()?.Abort();
        }

        var refusal = request.Refusal;
        if (log.Wants(refusal == Refusal.None && status < StatusCodes.Status500InternalServerError))
        {
            log.Write(new(
                time.GetUtcNow().UtcDateTime - elapsed, elapsed.TotalMilliseconds, http.Request.Method, status, refusal, request.Operation, request.Application?.ApplicationId ?? default,
                request.RequestId, Activity.Current?.TraceId ?? default, request.Instance?.Prefix, request.ClientAddress));
        }

        if (_sending >= 0 && request.Clocked?.Entered(_sending) is { } sent and not 0)
        {
            metrics.Added(Stopwatch.GetElapsedTime(began, sent));
        }

        if (request.Clocked is not null || refusal != Refusal.None)
        {
            ring.Add(new(request, _names, began, time.GetUtcNow()));
            request.Client?.WasRefused = refusal != Refusal.None;
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
}
