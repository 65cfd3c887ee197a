using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Limits;

/// <summary>All limiters of this gateway: they live longer than a snapshot, so a new revision gives nobody a fresh limit.</summary>
internal sealed class LimiterTable(TokenLender lender, MonotonicClock clock, GatewayCount gateways, IOptions<LimitOptions> options, TimeProvider time)
{
    private readonly ConcurrentDictionary<(Guid Application, Guid Plan, RateLimitModel Limit), RateLimiter> _limiters = new();

    /// <summary>Allocates only at the first request of a subscription.</summary>
    public RateLimiter[] For(SubscriptionEntry subscription) => subscription.Limiters ?? Create(subscription);

    private RateLimiter[] Create(SubscriptionEntry subscription) => subscription.Limiters =
    [
        .. subscription.Plan.Limits.Select(limit => _limiters.GetOrAdd(
            (subscription.Application.ApplicationId, subscription.Plan.PlanId, limit),
            key => new(
                $"openplatform:limit:{{{key.Application:N}:{key.Plan:N}:{key.Limit.Requests}/{key.Limit.WindowSeconds}}}",
                key.Limit, options.Value.LoanDeadline, lender, clock, gateways, time)))
    ];

    /// <summary>Forgets those that nobody has used for two windows.</summary>
    public void Sweep()
    {
        var now = clock.Now;
        foreach (var (key, limiter) in _limiters)
        {
            if (limiter.IsIdle(now))
            {
                _limiters.TryRemove(key, out _);
            }
        }
    }
}
