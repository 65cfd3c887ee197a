using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Catalog.Subscriptions;

/// <summary>An application's right to a version under a plan.</summary>
/// <param name="PendingPlanId">The plan it asked to change to, which waits for approval; until then <paramref name="PlanId"/> counts.</param>
public sealed record Subscription(
    Guid Id, Guid ApplicationId, Guid VersionId, Guid PlanId, Guid? PendingPlanId, SubscriptionState State, DateTimeOffset CreatedAt,
    [property: JsonIgnore] long Etag) : ICatalogResource;

/// <param name="VersionId">Id of an API version: <c>versions[].id</c> of an API.</param>
/// <param name="AllowDeprecated">True: also to a version that will end, which only who decides about subscriptions may say.</param>
public sealed record SubscriptionRequest(
    [property: Required] Guid? ApplicationId, [property: Required] Guid? VersionId, [property: Required] Guid? PlanId, bool AllowDeprecated = false)
{
    /// <summary>It waits for approval although its plan does not ask for it: so it was where it was declared.</summary>
    internal bool Waits { get; init; }

    internal CatalogProblem? Check()
    {
        var check = new RequestCheck();
        check.Id("/applicationId", ApplicationId);
        check.Id("/versionId", VersionId);
        check.Id("/planId", PlanId);
        return check.Problem;
    }
}

/// <param name="PlanId">A published plan that is offered for the version.</param>
public sealed record PlanChangeRequest([property: Required] Guid? PlanId)
{
    internal CatalogProblem? Check()
    {
        var check = new RequestCheck();
        check.Id("/planId", PlanId);
        return check.Problem;
    }
}
