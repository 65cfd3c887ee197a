using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Plans;

/// <summary>What has become of a plan. Nobody goes back.</summary>
public enum PlanState
{
    /// <summary>Not on offer yet.</summary>
    Draft,

    /// <summary>On offer.</summary>
    Published,

    /// <summary>For those who have it, and for nobody else.</summary>
    Retired,
}

/// <summary>Limits, quota and scopes on offer, in the revision that is in force.</summary>
/// <param name="Revision">Counted from 1; a change of the terms makes the next one, which holds for all subscriptions of the plan at once.</param>
/// <param name="ApprovalRequired">True: a subscription under it waits for an operator's approval.</param>
/// <param name="Apis">The APIs it is offered for; null: all.</param>
/// <param name="Priority">Who is shed last when a backend is overloaded: 0 (first) to 9 (last); null: 5.</param>
/// <param name="Schemes">What applications may identify themselves with; null: API keys alone.</param>
/// <param name="ReplayCheck">True: a signed request is accepted once over all gateways.</param>
/// <param name="Scopes">What its applications may do where an operation asks for scopes, and the most that their tokens say.</param>
public record Plan(
    Guid Id, string Name, PlanState State, int Revision, bool ApprovalRequired, IReadOnlyList<Guid>? Apis,
    IReadOnlyList<RateLimitModel> RateLimits, IReadOnlyList<QuotaModel>? Quotas, int? Priority, IReadOnlyList<string>? Schemes, bool? ReplayCheck,
    IReadOnlyList<string>? Scopes, DateTimeOffset CreatedAt, [property: JsonIgnore] long Etag) : ICatalogResource;

/// <summary>A plan after a change, and who feels it.</summary>
public sealed record ChangedPlan : Plan
{
    internal ChangedPlan(Plan plan)
        : base(plan)
    {
    }

    /// <summary>Pending, active and paused subscriptions that the new terms hold for; 0 when the terms stayed as they were.</summary>
    public long AffectedSubscriptions { get; init; }

    /// <summary>The first of them; all are at <c>/admin/v1/subscriptions?plan=…</c>.</summary>
    public IReadOnlyList<AffectedSubscription> Affected { get; init; } = [];
}

public sealed record AffectedSubscription(Guid SubscriptionId, Guid ApplicationId, Guid OrganizationId, Guid VersionId);

/// <summary>The terms of a plan as they were from one change to the next. Immutable.</summary>
public sealed record PlanRevision(
    int Revision, IReadOnlyList<RateLimitModel> RateLimits, IReadOnlyList<QuotaModel>? Quotas, int? Priority, IReadOnlyList<string>? Schemes, bool? ReplayCheck,
    IReadOnlyList<string>? Scopes, DateTimeOffset CreatedAt);
