using System.ComponentModel.DataAnnotations;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Plans;

/// <param name="Name">1 to 63 lower-case letters, digits and inner hyphens; unique.</param>
/// <param name="ApprovalRequired">False when absent.</param>
/// <param name="RateLimits">One per window, at most 10; all hold at once. Absent: unlimited.</param>
/// <param name="Quotas">One per period; absent: none.</param>
/// <param name="Priority">0 (shed first) to 9 (last); 5 when absent.</param>
/// <param name="Schemes">Of <c>api-key</c>, <c>hmac</c>, <c>http-signature</c>, <c>jwt</c>, <c>mtls</c>; absent: API keys alone.</param>
/// <param name="ReplayCheck">True: signed requests count once over all gateways; only with schemes that sign a nonce.</param>
/// <param name="Scopes">What its applications may do where an operation asks for scopes, such as <c>orders:read</c>; at most 64.</param>
/// <param name="Apis">The APIs it is offered for; absent: all.</param>
/// <param name="State"><c>draft</c> or <c>published</c>; published when absent.</param>
public sealed record PlanRequest(
    [property: Required] string? Name, bool ApprovalRequired = false, IReadOnlyList<RateLimitRequest?>? RateLimits = null, IReadOnlyList<QuotaRequest?>? Quotas = null,
    int? Priority = null, IReadOnlyList<string?>? Schemes = null, bool? ReplayCheck = null, IReadOnlyList<string?>? Scopes = null, IReadOnlyList<Guid>? Apis = null, PlanState State = PlanState.Published)
{
    private const int MaxRateLimits = 10;
    private const int MaxApis = 1000;

    /// <summary>The request that would create <paramref name="plan"/>: what a patch changes.</summary>
    internal static PlanRequest Of(Plan plan) => new(
        plan.Name, plan.ApprovalRequired,
        [.. plan.RateLimits.Select(static limit => new RateLimitRequest(limit.Requests, limit.WindowSeconds, limit.Burst, limit.Exact))],
        plan.Quotas is null ? null : [.. plan.Quotas.Select(static quota => new QuotaRequest(quota.Requests, quota.Period))],
        plan.Priority, plan.Schemes, plan.ReplayCheck, plan.Scopes, plan.Apis, plan.State);

    internal CatalogProblem? Check()
    {
        var check = new RequestCheck();
        check.Name("/name", Name);
        if (RateLimits?.Count > MaxRateLimits)
        {
            check.Add("/rateLimits", $"must be at most {MaxRateLimits}");
            return check.Problem;
        }

        if (Apis is { Count: 0 or > MaxApis })
        {
            check.Add("/apis", $"must be 1 to {MaxApis}; leave it out to offer the plan for all");
        }

        var candidate = Terms(Guid.CreateVersion7());
        check.Snapshot(Snapshot.Empty with { Plans = [candidate] }, static pointer => pointer["/plans/0".Length..]);
        var windows = new HashSet<int>();
        for (var i = 0; i < candidate.RateLimits.Count; i++)
        {
            if (!windows.Add(candidate.RateLimits[i].WindowSeconds))
            {
                check.Add($"/rateLimits/{i}/windowSeconds", "has a limit already; give each window one");
            }
        }

        return check.Problem;
    }

    // An absent number is out of every range, so the validator names it.
    internal PlanModel Terms(Guid id) => new(id, Name ?? "", [.. (RateLimits ?? []).Select(static limit => limit?.Model ?? new RateLimitModel(0, 0))])
    {
        Quotas = Quotas is null ? null : [.. Quotas.Select(static quota => new QuotaModel(quota?.Requests ?? 0, quota?.Period ?? ""))],
        Priority = Priority,
        Schemes = Schemes is null ? null : [.. Schemes.Select(static scheme => scheme ?? "")],
        ReplayCheck = ReplayCheck,
        Scopes = Scopes is null ? null : [.. Scopes.Select(static scope => scope ?? "")],
    };
}

/// <param name="Requests">1 to 1,000,000,000.</param>
/// <param name="WindowSeconds">1 to 2,678,400 s (31 days).</param>
/// <param name="Burst">How many may come at once, 1 to <paramref name="Requests"/>; all of them when absent.</param>
/// <param name="Exact">True: asked of Redis for each request, and never exceeded.</param>
public sealed record RateLimitRequest([property: Required] long? Requests, [property: Required] int? WindowSeconds, long? Burst = null, bool? Exact = null)
{
    internal RateLimitModel Model => new(Requests ?? 0, WindowSeconds ?? 0) { Burst = Burst, Exact = Exact };
}

/// <param name="Requests">1 to 1,000,000,000,000 units.</param>
/// <param name="Period"><c>day</c> or <c>month</c>, UTC.</param>
public sealed record QuotaRequest([property: Required] long? Requests, [property: Required] string? Period);
