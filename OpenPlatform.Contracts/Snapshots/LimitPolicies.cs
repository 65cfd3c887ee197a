namespace OpenPlatform.Contracts.Snapshots;

/// <summary>Rate limits of one API version or of one operation, beside those of the caller's plan.</summary>
public sealed record LimitPolicy(IReadOnlyList<RateLimitModel> RateLimits);

/// <summary>
/// At most <paramref name="Requests"/> per <paramref name="WindowSeconds"/>: in a plan for each application under it; in a policy for each
/// application at that API version or operation, or with <see cref="Shared"/> for all of them together.
/// </summary>
/// <param name="Requests">1 to 1,000,000,000 units; a request costs one, unless its operation says otherwise.</param>
/// <param name="WindowSeconds">1 to 2,678,400 s (31 days).</param>
public sealed record RateLimitModel(long Requests, int WindowSeconds)
{
    /// <summary>How many may come at once, 1 to <see cref="Requests"/>; null: all of them.</summary>
    public long? Burst { get; init; }

    /// <summary>True: asked of Redis for each request, and never exceeded. Otherwise blocks of a hundredth are taken ahead of need.</summary>
    public bool? Exact { get; init; }

    /// <summary>True: one limit for all applications. Only in policies.</summary>
    public bool? Shared { get; init; }
}

/// <summary>At most <paramref name="Requests"/> per calendar period (UTC) for each application under a plan.</summary>
/// <param name="Requests">1 to 1,000,000,000,000 units.</param>
/// <param name="Period"><c>day</c> or <c>month</c>.</param>
public sealed record QuotaModel(long Requests, string Period)
{
    public const string Day = "day";
    public const string Month = "month";
}

internal static class LimitPolicyValidator
{
    private const int LongestWindow = 31 * 86_400;
    private const int MostLimits = 8;

    public static void Validate(PlanModel plan, string at, Action<string, string> problem)
    {
        Validate(plan.RateLimits, $"{at}/rateLimits", isPlan: true, problem);
        for (var i = 0; i < plan.Quotas?.Count; i++)
        {
            if (plan.Quotas[i] is not { } quota)
            {
                problem($"{at}/quotas/{i}", "must not be null");
                continue;
            }

            if (quota.Requests is < 1 or > 1_000_000_000_000)
            {
                problem($"{at}/quotas/{i}/requests", "must be 1 to 1,000,000,000,000");
            }

            if (quota.Period is not (QuotaModel.Day or QuotaModel.Month))
            {
                problem($"{at}/quotas/{i}/period", "must be day or month");
            }
            else if (plan.Quotas.Take(i).Any(other => other?.Period == quota.Period))
            {
                problem($"{at}/quotas/{i}/period", "has a quota already");
            }
        }
    }

    public static void Validate(LimitPolicy? policy, string at, Action<string, string> problem)
    {
        if (policy is not null)
        {
            Validate(policy.RateLimits, $"{at}/rateLimits", isPlan: false, problem);
        }
    }

    public static void ValidateCost(int? cost, string at, Action<string, string> problem)
    {
        if (cost is < 1 or > 1000)
        {
            problem(at, "must be 1 to 1,000 units");
        }
    }

    private static void Validate(IReadOnlyList<RateLimitModel> limits, string at, bool isPlan, Action<string, string> problem)
    {
        if (limits.Count > MostLimits && !isPlan)
        {
            problem(at, $"must be at most {MostLimits}");
        }

        for (var i = 0; i < limits.Count; i++)
        {
            if (limits[i] is not { } limit)
            {
                problem($"{at}/{i}", "must not be null");
                continue;
            }

            if (limit.Requests is < 1 or > 1_000_000_000)
            {
                problem($"{at}/{i}/requests", "must be 1 to 1,000,000,000");
            }

            if (limit.WindowSeconds is < 1 or > LongestWindow)
            {
                problem($"{at}/{i}/windowSeconds", "must be 1 to 2,678,400 s");
            }

            if (limit.Burst is { } burst && (burst < 1 || burst > limit.Requests))
            {
                problem($"{at}/{i}/burst", "must be 1 to the requests of the window");
            }

            if (isPlan && limit.Shared is not null)
            {
                problem($"{at}/{i}/shared", "belongs to the limits of an API or an operation; a plan's are for each application");
            }
        }
    }
}
