using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Limits;

/// <summary>The plan's rate limits → 429 with <c>Retry-After</c>, <c>RateLimit</c> and <c>RateLimit-Policy</c>.</summary>
internal sealed class RateLimitMiddleware(RequestDelegate next, LimiterTable limiters, RefusalWriter refusals)
{
    public Task InvokeAsync(HttpContext context)
    {
        var request = GatewayRequest.Of(context);
        var all = limiters.For(request.Subscription);
        switch (TryTake(all, request, 0, out var undecided, out var wait))
        {
            case LimitDecision.Allowed:
                return next(context);
            case LimitDecision.Refused:
                return RefuseAsync(context, request, wait);
            default:
                return WaitAsync(context, request, all, undecided);
        }
    }

    /// <summary>Takes one token of each limit from <paramref name="from"/> on. All or none. Allocates nothing.</summary>
    /// <param name="undecided">Where a loan must be waited for; those before it are taken.</param>
    public static LimitDecision TryTake(RateLimiter[] limiters, GatewayRequest request, int from, out int undecided, out long wait)
    {
        wait = 0;
        for (undecided = from; undecided < limiters.Length; undecided++)
        {
            var decision = limiters[undecided].TryTake(out wait);
            if (decision == LimitDecision.Allowed)
            {
                continue;
            }

            if (decision == LimitDecision.Refused)
            {
                Undo(limiters, undecided);
                request.TightestLimit = limiters[undecided];
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
        var least = tightest.Remaining().Left;
        for (var i = 1; i < limiters.Length; i++)
        {
            if (limiters[i].Remaining().Left is var left && left < least)
            {
                (tightest, least) = (limiters[i], left);
            }
        }

        return tightest;
    }

    private static void Undo(RateLimiter[] limiters, int count)
    {
        for (var i = 0; i < count; i++)
        {
            limiters[i].GiveBack();
        }
    }

    private async Task WaitAsync(HttpContext context, GatewayRequest request, RateLimiter[] all, int undecided)
    {
        var decision = LimitDecision.Wait;
        long wait = 0;
        while (decision == LimitDecision.Wait)
        {
            (decision, wait) = await all[undecided].WaitAsync();
            if (decision == LimitDecision.Refused)
            {
                Undo(all, undecided);
                request.TightestLimit = all[undecided];
            }
            else
            {
                decision = TryTake(all, request, undecided + 1, out undecided, out wait);
            }
        }

        await (decision == LimitDecision.Allowed ? next(context) : RefuseAsync(context, request, wait));
    }

    private Task RefuseAsync(HttpContext context, GatewayRequest request, long wait)
    {
        var seconds = RateLimiter.Seconds(wait);
        var headers = context.Response.Headers;
        headers.RetryAfter = seconds.ToString();
        headers[RateLimitFields.LimitHeader] = $"{request.TightestLimit!.Name};r=0;t={seconds}";
        headers[RateLimitFields.PolicyHeader] = request.Subscription.Plan.Policy;
        return refusals.WriteAsync(context, request, Refusal.RateLimited);
    }
}
