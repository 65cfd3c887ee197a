using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Limits;

/// <summary>The limits and quotas of plan, API and operation → 429 with <c>Retry-After</c>, <c>RateLimit</c> and <c>RateLimit-Policy</c>.</summary>
internal sealed class RateLimitMiddleware(StepDelegate next, LimiterTable limiters, RefusalWriter refusals) : IStep
{
    public Task InvokeAsync(GatewayRequest request)
    {
        request.Limits = limiters.For(request.Subscription, request.Operation);
        var all = request.Limits.All;
        if (request.Purpose == RequestPurpose.Explanation)
        {
            return ExplainAsync(request, all);
        }

        return TryTake(all, request, 0, out var undecided) switch
        {
            LimitDecision.Allowed => next(request),
            LimitDecision.Refused => RefuseAsync(request),
            _ => WaitAsync(request, all, undecided),
        };
    }

    /// <summary>Takes the operation's cost from each limit from <paramref name="from"/> on. All or none. Allocates nothing.</summary>
    /// <param name="undecided">Where a loan must be waited for; those before it are taken.</param>
    public static LimitDecision TryTake(RateLimiter[] limiters, GatewayRequest request, int from, out int undecided)
    {
        var cost = request.Operation.Cost;
        for (undecided = from; undecided < limiters.Length; undecided++)
        {
            var decision = limiters[undecided].TryTake(cost, out var wait);
            if (decision == LimitDecision.Allowed)
            {
                continue;
            }

            if (decision == LimitDecision.Refused)
            {
                Undo(limiters, request, undecided, wait);
            }

            return decision;
        }

        request.TightestLimit = limiters.Length switch
        {
            0 => null,
            1 => limiters[0],
            _ => Tightest(limiters),
        };
        return LimitDecision.Allowed;
    }

    private static RateLimiter Tightest(RateLimiter[] limiters)
    {
        var tightest = limiters[0];
        var (least, longest) = tightest.Remaining();
        for (var i = 1; i < limiters.Length; i++)
        {
            var (left, reset) = limiters[i].Remaining();
            if (left < least || (left == least && reset > longest))
            {
                (tightest, least, longest) = (limiters[i], left, reset);
            }
        }

        return tightest;
    }

    /// <summary>Gives back what was taken. The caller is told the longest wait of all limits: who obeys it is not refused by the next one.</summary>
    private static void Undo(RateLimiter[] limiters, GatewayRequest request, int refusing, long wait)
    {
        var cost = request.Operation.Cost;
        request.TightestLimit = limiters[refusing];
        request.LimitWait = wait;
        for (var i = 0; i < limiters.Length; i++)
        {
            if (i < refusing)
            {
                limiters[i].GiveBack(cost);
            }
            else if (i > refusing && limiters[i].Wait(cost) is var other && other > request.LimitWait)
            {
                (request.TightestLimit, request.LimitWait) = (limiters[i], other);
            }
        }
    }

    private async Task WaitAsync(GatewayRequest request, RateLimiter[] all, int undecided)
    {
        var decision = LimitDecision.Wait;
        while (decision == LimitDecision.Wait)
        {
            (decision, var wait) = await all[undecided].WaitAsync(request.Operation.Cost);
            if (decision == LimitDecision.Refused)
            {
                Undo(all, request, undecided, wait);
            }
            else
            {
                decision = TryTake(all, request, undecided + 1, out undecided);
            }
        }

        await (decision == LimitDecision.Allowed ? next(request) : RefuseAsync(request));
    }

    /// <summary>Decides without taking anything.</summary>
    private Task ExplainAsync(GatewayRequest request, RateLimiter[] all)
    {
        foreach (var limiter in all)
        {
            if (limiter.Wait(request.Operation.Cost) is > 0 and var wait && wait > request.LimitWait)
            {
                (request.TightestLimit, request.LimitWait) = (limiter, wait);
            }
        }

        if (request.LimitWait > 0)
        {
            return RefuseAsync(request);
        }

        request.TightestLimit = all.Length == 0 ? null : Tightest(all);
        return next(request);
    }

    private Task RefuseAsync(GatewayRequest request)
    {
        var seconds = RateLimiter.Seconds(request.LimitWait);
        var headers = request.Http.Response.Headers;
        headers.RetryAfter = seconds.ToString();
        headers[RateLimitFields.LimitHeader] = $"\"{request.TightestLimit!.Limit.Name}\";r=0;t={seconds}";
        headers[RateLimitFields.PolicyHeader] = request.Limits!.Policy;
        return refusals.WriteAsync(this, request, request.TightestLimit.IsQuota ? Refusal.QuotaUsedUp : Refusal.RateLimited);
    }
}
