using System.ComponentModel;
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
        subscriptions.MapGet("/{id:guid}", Get).Needs(Permission.ReadSubscriptions).Reads<Subscription>("GetSubscription", "One subscription.");
        subscriptions.MapPost("/{id:guid}:approve", Approve).Needs(Permission.DecideSubscriptions).Changes<Subscription>("ApproveSubscription", "Lets a pending subscription's calls through.");
        subscriptions.MapPost("/{id:guid}:reject", Reject).Needs(Permission.DecideSubscriptions).Changes<Subscription>("RejectSubscription", "Refuses a pending subscription, for good.");
        subscriptions.MapPost("/{id:guid}:cancel", Cancel).Needs(Permission.WriteSubscriptions).Changes<Subscription>("CancelSubscription", "Ends a pending or active subscription, for good.");
    }

    private static async Task<IResult> Create(SubscriptionRequest request, ConfigChanges changes, CancellationToken cancellationToken) =>
        request.Check() ?? ResourceAnswers.Created("/admin/v1/subscriptions",
            await changes.ApplyAsync(change => SubscriptionStore.InsertAsync(change, request), cancellationToken));

    private static Task<IResult> List(
        [AsParameters] PageQuery page, [Description("Only those of this application.")] Guid? application, SubscriptionStore subscriptions, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => subscriptions.ListAsync(application, start, cancellationToken));

    private static async Task<IResult> Get(Guid id, SubscriptionStore subscriptions, CancellationToken cancellationToken) =>
        ResourceAnswers.Found(await subscriptions.FindOrNullAsync(id, cancellationToken), "subscription", id);

    private static Task<IResult> Approve(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        MoveAsync(id, SubscriptionState.Active, ifMatch, changes, cancellationToken);

    private static Task<IResult> Reject(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        MoveAsync(id, SubscriptionState.Rejected, ifMatch, changes, cancellationToken);

    private static Task<IResult> Cancel(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        MoveAsync(id, SubscriptionState.Cancelled, ifMatch, changes, cancellationToken);

    private static async Task<IResult> MoveAsync(Guid id, SubscriptionState to, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync(change => SubscriptionStore.MoveAsync(change, id, to, ifMatch), cancellationToken));
}
