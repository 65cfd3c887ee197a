using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Catalog.Subscriptions;

/// <summary>What has become of a subscription. Only an active one lets calls through.</summary>
public enum SubscriptionState
{
    /// <summary>Waits for approval.</summary>
    Pending,

    /// <summary>Lets calls through.</summary>
    Active,

    /// <summary>Ended; the end.</summary>
    Cancelled,

    /// <summary>Was not approved; the end.</summary>
    Rejected,
}

/// <summary>An application's right to a version under a plan.</summary>
public sealed record Subscription(
    Guid Id, Guid ApplicationId, Guid VersionId, Guid PlanId, SubscriptionState State, DateTimeOffset CreatedAt,
    [property: JsonIgnore] long Etag) : ICatalogResource;

/// <param name="VersionId">Id of an API version: <c>versions[].id</c> of an API.</param>
public sealed record SubscriptionRequest([property: Required] Guid? ApplicationId, [property: Required] Guid? VersionId, [property: Required] Guid? PlanId)
{
    internal CatalogProblem? Check()
    {
        var check = new RequestCheck();
        check.Id("/applicationId", ApplicationId);
        check.Id("/versionId", VersionId);
        check.Id("/planId", PlanId);
        return check.Problem;
    }
}

/// <summary>The moves a subscription can make.</summary>
internal static class SubscriptionMoves
{
    /// <summary>True when a subscription may go from one state to the other.</summary>
    public static bool Allows(SubscriptionState from, SubscriptionState to) => (from, to) switch
    {
        (SubscriptionState.Pending, SubscriptionState.Active or SubscriptionState.Rejected) => true,
        (SubscriptionState.Pending or SubscriptionState.Active, SubscriptionState.Cancelled) => true,
        _ => false,
    };
}
