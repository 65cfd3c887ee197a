using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Plans;

/// <summary>Limits on offer.</summary>
/// <param name="ApprovalRequired">True: a subscription under it waits for an operator's approval.</param>
public sealed record Plan(
    Guid Id, string Name, bool ApprovalRequired, IReadOnlyList<RateLimitModel> RateLimits, DateTimeOffset CreatedAt,
    [property: JsonIgnore] long Etag) : ICatalogResource;

/// <param name="Name">1 to 63 lower-case letters, digits and inner hyphens; unique.</param>
/// <param name="ApprovalRequired">False when absent.</param>
/// <param name="RateLimits">One per window; all hold at once. Absent: unlimited.</param>
public sealed record PlanRequest([property: Required] string? Name, bool ApprovalRequired = false, IReadOnlyList<RateLimitRequest?>? RateLimits = null)
{
    private const int MaxRateLimits = 10;

    internal CatalogProblem? Check()
    {
        var check = new RequestCheck();
        check.Name("/name", Name);
        if (RateLimits?.Count > MaxRateLimits)
        {
            check.Add("/rateLimits", $"must be at most {MaxRateLimits}");
            return check.Problem;
        }

        var candidate = new PlanModel(Guid.CreateVersion7(), Name ?? "", Models());
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
    internal IReadOnlyList<RateLimitModel> Models() => [.. (RateLimits ?? []).Select(static limit => new RateLimitModel(limit?.Requests ?? 0, limit?.WindowSeconds ?? 0))];
}

/// <param name="Requests">1 to 1,000,000,000.</param>
/// <param name="WindowSeconds">1 to 86,400 s.</param>
public sealed record RateLimitRequest([property: Required] long? Requests, [property: Required] int? WindowSeconds);
