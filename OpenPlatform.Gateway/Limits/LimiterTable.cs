using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Limits;

/// <summary>All limiters of this gateway: they live longer than a snapshot, so a new revision gives nobody a fresh limit.</summary>
/// <param name="history">Null where there is no catalog.</param>
internal sealed class LimiterTable(TokenLender lender, MonotonicClock clock, GatewayCount gateways, IOptions<LimitOptions> options, TimeProvider time, QuotaHistory? history = null)
{
    private readonly ConcurrentDictionary<string, RateLimiter> _limiters = new(StringComparer.Ordinal);

    /// <summary>Allocates only at the first request of a subscription, or of a subscription at an operation with limits of its own.</summary>
    public LimitSet For(SubscriptionEntry subscription, OperationEntry operation) => operation.OwnLimits is { } own
        ? own.Sets.TryGetValue(subscription, out var set) ? set : own.Sets.GetOrAdd(subscription, Create(_limiters, subscription, operation, own.Models))
        : subscription.Limits is { } known && ReferenceEquals(known.Api, operation.Api) ? known
        : subscription.Limits = Create(_limiters, subscription, operation, []);

    /// <summary>Those in use, for operators: key, what is left here, seconds until all is back, whether Redis or this gateway decides.</summary>
    public IEnumerable<(string Key, long Left, long ResetSeconds)> Describe() =>
        _limiters.Select(static pair => (pair.Key, pair.Value.Remaining().Left, pair.Value.Remaining().ResetSeconds));

    public int Count => _limiters.Count;

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

    /// <summary>Gives a subscription limiters of its own: those of the warm-up, which are nobody's limit in use.</summary>
    public void SetApart(SubscriptionEntry subscription, OperationEntry operation) => subscription.Limits = Create(new(StringComparer.Ordinal), subscription, operation, []);

    private LimitSet Create(ConcurrentDictionary<string, RateLimiter> limiters, SubscriptionEntry subscription, OperationEntry operation, IReadOnlyList<RateLimitModel> own)
    {
        var application = subscription.ApplicationId.ToString("N");
        var plan = $"{application}:{subscription.Plan.PlanId:N}";
        var version = subscription.VersionId.ToString("N");
        return new(operation.Api,
        [
            .. subscription.Plan.Limits.Select(limit => Get(plan, RateLimit.Of(limit))),
            .. operation.Api.Limits.Select(limit => Get(limit.Shared == true ? version : $"{application}:{version}", RateLimit.Of(limit, "api-"))),
            .. own.Select(limit => Get(
                (limit.Shared == true ? version : $"{application}:{version}") + ":" + operation.OperationId, RateLimit.Of(limit, "operation-"))),
            .. subscription.Plan.Quotas.Select(quota => Get(
                plan, RateLimit.Of(quota), history is null ? null : new(history, subscription.ApplicationId, subscription.Plan.PlanId))),
        ]);

        RateLimiter Get(string scope, RateLimit limit, QuotaOwner? owner = null) => limiters.GetOrAdd(
            $"openplatform:limit:{{{scope}:{limit.Name}:{limit.Capacity}{(limit.Exact ? ":exact" : "")}}}",
            key => new(key, limit, options.Value.LoanDeadline, lender, clock, gateways, time, owner));
    }
}

/// <summary>The limits of one operation, and the sets that the subscriptions have met there so far.</summary>
internal sealed record OwnLimits(IReadOnlyList<RateLimitModel> Models)
{
    /// <summary>Weak: an operation that does not change outlives many a subscription.</summary>
    public ConditionalWeakTable<SubscriptionEntry, LimitSet> Sets { get; } = [];
}
