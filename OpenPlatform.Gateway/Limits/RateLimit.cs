using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Limits;

/// <summary>What one limiter enforces, whatever model it was written in.</summary>
/// <param name="Name">For the <c>RateLimit</c> fields, for example <c>100-per-60s</c>.</param>
/// <param name="Policy">Its part of <c>RateLimit-Policy</c>.</param>
/// <param name="Capacity">Units that the full bucket holds.</param>
/// <param name="Window">µs in which the empty bucket fills.</param>
/// <param name="Exact">No block is taken ahead of need.</param>
/// <param name="Period"><see cref="QuotaModel.Period"/>; null: it fills all the time.</param>
internal sealed record RateLimit(string Name, string Policy, long Capacity, long Window, bool Exact, string? Period)
{
    private const long Second = 1_000_000;

    public static RateLimit Of(RateLimitModel model, string? scope = null)
    {
        var name = $"{scope}{model.Requests}-per-{model.WindowSeconds}s";
        var burst = model.Burst ?? model.Requests;
        return new(
            name, $"\"{name}\";q={model.Requests};w={model.WindowSeconds}", burst,
            Math.Max(1, (long)(model.WindowSeconds * Second * ((double)burst / model.Requests))), model.Exact == true, null);
    }

    public static RateLimit Of(QuotaModel model)
    {
        var name = $"{model.Requests}-per-{model.Period}";
        var seconds = model.Period == QuotaModel.Day ? 86_400 : 31 * 86_400;
        return new(name, $"\"{name}\";q={model.Requests};w={seconds}", model.Requests, seconds * Second, false, model.Period);
    }

    /// <summary>The calendar period (UTC) that holds <paramref name="now"/>.</summary>
    public static (DateTimeOffset Begin, DateTimeOffset End) PeriodOf(string period, DateTimeOffset now)
    {
        var day = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero);
        var month = day.AddDays(1 - day.Day);
        return period == QuotaModel.Day ? (day, day.AddDays(1)) : (month, month.AddMonths(1));
    }
}

/// <summary>All limits that a request must pass, and the <c>RateLimit-Policy</c> that names them.</summary>
/// <param name="api">The version whose limits are in it: when that changes, the set is another.</param>
internal sealed class LimitSet(ApiEntry api, RateLimiter[] all)
{
    public ApiEntry Api { get; } = api;

    public RateLimiter[] All { get; } = all;

    /// <summary>Null when there is no limit.</summary>
    public string? Policy { get; } = all.Length == 0 ? null : string.Join(", ", all.Select(static limiter => limiter.Limit.Policy));
}
