using System.ComponentModel;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Subscriptions;

internal static class SubscriptionEndpoints
{
    public static void MapSubscriptions(this IEndpointRouteBuilder admin)
    {
        var subscriptions = admin.MapGroup("/subscriptions").WithTags("Subscriptions");
        subscriptions.MapPost("/", Create).Needs(Permission.WriteSubscriptions).Creates<Subscription>("CreateSubscription", "Subscribes an application to a version under a plan: active at once, or pending when the plan asks for approval.");
        subscriptions.MapGet("/", List).Needs(Permission.ReadSubscriptions).Lists<Subscription>("ListSubscriptions", "Subscriptions, oldest first.");
        subscriptions.MapById<SubscriptionStore, Subscription>("subscription", static (subscriptions, id, caller, _) => subscriptions.FindOrNullAsync(caller, id))
            .Needs(Permission.ReadSubscriptions).Reads<Subscription>("GetSubscription", "One subscription.");
        subscriptions.MapPost("/{id:guid}:changePlan", ChangePlan).Needs(Permission.WriteSubscriptions).Changes<Subscription>("ChangePlanOfSubscription", "Puts it under another plan: at once, or when it is approved where that plan asks for it.");
        Move("approve", Permission.DecideSubscriptions, SubscriptionMove.Approve, "ApproveSubscription", "Lets a pending subscription's calls through, or the change of plan that it waits for.");
        Move("reject", Permission.DecideSubscriptions, SubscriptionMove.Reject, "RejectSubscription", "Refuses a pending subscription, for good, or the change of plan that it waits for.");
        Move("pause", Permission.PauseSubscriptions, SubscriptionMove.Pause, "PauseSubscription", "Lets no calls through until it is resumed.");
        Move("resume", Permission.PauseSubscriptions, SubscriptionMove.Resume, "ResumeSubscription", "Ends a pause.");
        Move("cancel", Permission.WriteSubscriptions, SubscriptionMove.Cancel, "CancelSubscription", "Ends it, for good.");

        void Move(string verb, Permission permission, SubscriptionMove move, string name, string summary) =>
            subscriptions.MapPost($"/{{id:guid}}:{verb}", (Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) => MoveAsync(id, move, ifMatch, changes, cancellationToken))
                .Needs(permission).Changes<Subscription>(name, summary);
    }

    private static async Task<IResult> Create(SubscriptionRequest request, ConfigChanges changes, CancellationToken cancellationToken) =>
        request.Check() ?? ResourceAnswers.Created("/admin/v1/subscriptions",
            await changes.ApplyAsync(change => SubscriptionStore.InsertAsync(change, request), cancellationToken));

    private static async Task<IResult> List(
        [AsParameters] PageQuery page, [AsParameters] SubscriptionQuery query, Caller caller, SubscriptionStore subscriptions, HttpContext context, CancellationToken cancellationToken)
    {
        SubscriptionState? only = null;
        if (query.State is { } state)
        {
            // Not bound as what it is: then it would have to be written otherwise than answers write it.
            if (!Enum.TryParse<SubscriptionState>(state, ignoreCase: true, out var known) || !Enum.IsDefined(known))
            {
                return CatalogProblem.Malformed("The list cannot be given.", new ProblemError("?state", "must be pending, active, paused, cancelled or rejected"));
            }

            only = known;
        }

        return await PageAnswers.ListAsync(context, page, start => subscriptions.ListAsync(caller, new(query.Application, query.Version, query.Plan, only), start, cancellationToken));
    }

    private static async Task<IResult> ChangePlan(Guid id, PlanChangeRequest request, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        request.Check() ?? ResourceAnswers.Changed(
            await changes.ApplyAsync(change => SubscriptionStore.ChangePlanAsync(change, id, request.PlanId!.Value, ifMatch), cancellationToken));

    private static async Task<IResult> MoveAsync(Guid id, SubscriptionMove move, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync(change => SubscriptionStore.MoveAsync(change, id, move, ifMatch), cancellationToken));
}

/// <summary>Which subscriptions are asked for.</summary>
public sealed record SubscriptionQuery(
    [property: Description("Only those of this application.")] Guid? Application,
    [property: Description("Only those to this API version.")] Guid? Version,
    [property: Description("Only those under this plan.")] Guid? Plan,
    [property: Description("Only those in this state: pending, active, paused, cancelled or rejected.")] string? State);
