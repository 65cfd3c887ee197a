using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Forwarding;

namespace OpenPlatform.Gateway.Degradation;

/// <summary>Answers GET and HEAD from memory, for the APIs that opted in, and keeps what may be kept → 200, 304.</summary>
internal sealed class CacheMiddleware(StepDelegate next, ResponseCache cache, TimeProvider time) : IStep
{
    public const string StatusHeader = "Cache-Status";

    public Task InvokeAsync(GatewayRequest request) => request.Operation.Api.Cache is { } policy ? InvokeAsync(request.Http, request, policy) : next(request);

    /// <summary>What the answer to a request is kept under.</summary>
    public static CacheKey Key(HttpContext context, GatewayRequest request)
    {
        var http = context.Request;
        return new(request.Operation.Api.VersionId, request.Operation.Api.Backend.Model.BackendId == request.Backend.Model.BackendId ? Guid.Empty : request.Backend.Model.BackendId,
            http.Scheme, http.Host.Value ?? string.Empty, http.Path.Value!, http.QueryString.Value ?? string.Empty);
    }

    /// <summary>The head of a backend's answer is there: from here on its body is copied, if it may be kept.</summary>
    public static void Begin(HttpContext context, GatewayRequest request, CachePolicy policy, DateTimeOffset now)
    {
        if (request.Degraded is null && CacheRules.MayUse(context.Request, request)
            && CacheRules.Keep(Key(context, request), request.Application.ApplicationId, policy, context, now) is { } answer)
        {
            context.Response.Headers[StatusHeader] = "openplatform; fwd=miss; stored";
            var body = new CapturedBody(context.Features.GetRequiredFeature<IHttpResponseBodyFeature>(), answer, policy.MaxAnswerBytes);
            request.Captured = body;
            context.Features.Set<IHttpResponseBodyFeature>(body);
        }
        else
        {
            context.Response.Headers[StatusHeader] = "openplatform; fwd=bypass";
        }
    }

    /// <summary>Gives a kept answer: whole, or 304 when the client has it already.</summary>
    /// <param name="status">The value of <c>Cache-Status</c> (RFC 9211).</param>
    public static Task WriteAsync(HttpContext context, GatewayRequest request, CachedAnswer answer, string status, DateTimeOffset now)
    {
        var response = context.Response;
        foreach (var (name, value) in answer.Headers)
        {
            response.Headers[name] = value;
        }

        response.Headers.Age = answer.Age(now).ToString();
        response.Headers[StatusHeader] = status;
        GatewayTransformer.Stamp(response.Headers, request);
        request.AnsweredByBackend = request.Degraded is null; // who degrades does not bill

        if (context.Request.Headers.IfNoneMatch is { Count: > 0 } known && response.Headers.ETag is { Count: 1 } tag && Matches(known, tag.ToString()))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            response.Headers.Remove(HeaderNames.ContentType);
            return Task.CompletedTask;
        }

        response.StatusCode = StatusCodes.Status200OK;
        response.ContentLength = answer.Body.Length;
        return context.Request.Method == "HEAD" ? Task.CompletedTask : response.Body.WriteAsync(answer.Body, context.RequestAborted).AsTask();
    }

    private async Task InvokeAsync(HttpContext context, GatewayRequest request, CachePolicy policy)
    {
        var mayUse = CacheRules.MayUse(context.Request, request);
        var degradation = request.Operation.Api.Degradation;
        if (mayUse && degradation?.Switched != true
            && cache.Find(Key(context, request), request.Application.ApplicationId, context.Request.Headers) is { } kept && time.GetUtcNow() is var now)
        {
            if (kept.IsFresh(now) && !CacheRules.WantsFresh(context.Request.Headers))
            {
                await WriteAsync(context, request, kept, $"openplatform; hit; ttl={kept.FreshSeconds - kept.Age(now)}", now);
                return;
            }

            request.StandIn = degradation is { Stale: true, StaleForServerErrors: true } && kept.MayStandIn(now) ? kept : null;
        }

        var body = context.Features.Get<IHttpResponseBodyFeature>();
        try
        {
            await next(request);
        }
        finally
        {
            context.Features.Set(body);
        }

        if (!request.AnsweredWhole)
        {
            return;
        }

        if (request.Captured?.Answer is { } answer)
        {
            cache.Store(answer);
        }
        else if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method) && !HttpMethods.IsOptions(context.Request.Method)
            && context.Response.StatusCode is >= 200 and < 400)
        {
            cache.Invalidate(Key(context, request));
        }
    }

    /// <summary>RFC 9110, 13.1.2: the weak comparison.</summary>
    private static bool Matches(StringValues known, string tag) =>
        known.ToString() == "*"
        || (EntityTagHeaderValue.TryParse(tag, out var ours) && EntityTagHeaderValue.TryParseList([.. known.OfType<string>()], out var theirs)
            && theirs.Any(their => their.Compare(ours, useStrongComparison: false)));
}
