using Dapper;
using OpenPlatform.Catalog.Changes;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Subscriptions;

namespace OpenPlatform.Catalog.Applications;

/// <param name="State">Null: as the plan says, active or waiting for approval; a pause ends.</param>
/// <param name="PendingPlan">The plan that was asked for and waits for approval.</param>
internal sealed record DeclaredSubscription(string? Api = null, string? Plan = null, SubscriptionState? State = null, string? PendingPlan = null);

/// <param name="At">Where it stands in the request.</param>
internal sealed record NamedSubscription(SubscriptionRequest Request, SubscriptionState? State, Guid? PendingPlan, string At);

/// <summary>What a changeset declares an application to be subscribed to: by name, in which plan, in which state.</summary>
internal static class DeclaredSubscriptions
{
    /// <summary>Makes the live subscriptions of an application those that are declared; others are cancelled.</summary>
    public static async Task PutAsync(
        ConfigChange change, Application application, IReadOnlyList<DeclaredSubscription?> declared, Dictionary<string, Guid> versions, Dictionary<string, Guid> plans, DeclaredItem item, DeclaredReport report)
    {
        var live = (await change.Connection.QueryAsync<(Guid VersionId, Guid Id)>(change.Sql(
            "select version_id, id from subscriptions where application_id = @Id and state in ('pending', 'active', 'paused')", new { application.Id }))).ToDictionary(static row => row.VersionId, static row => row.Id);
        foreach (var named in Named(change, application, declared, versions, plans, item, report))
        {
            var subscription = live.TryGetValue(named.Request.VersionId!.Value, out var id) ? await SubscriptionStore.LockAsync(change, id) : await SubscriptionStore.InsertAsync(change, named.Request);
            Report(subscription.Problem is null ? await ReachAsync(change, subscription.Value, named) : subscription, named.At, report);
        }

        await CancelAsync(change, application.Id, declared.Select(subscription => versions.GetValueOrDefault(subscription?.Api ?? "")).ToHashSet());
    }

    /// <summary>Takes a live subscription to where it is declared to be, by the moves that the verbs make.</summary>
    public static async Task<Outcome<Subscription>> ReachAsync(ConfigChange change, Subscription subscription, NamedSubscription named)
    {
        // Asking for the plan that waits already is no other wish; a plan that waits beside the one in force is exported as such.
        var (plan, pending) = (named.Request.PlanId!.Value, named.PendingPlan);
        var there = pending is null ? subscription.PendingPlanId ?? subscription.PlanId : subscription.PlanId;
        var state = named.State ?? (subscription.State == SubscriptionState.Paused ? SubscriptionState.Active : subscription.State);
        if (state is SubscriptionState.Cancelled or SubscriptionState.Rejected || (state == SubscriptionState.Pending && subscription.State != state))
        {
            return CatalogProblem.Invalid(new ProblemError("/state", $"cannot be declared: it is {subscription.State.ToString().ToLowerInvariant()}, and may become active or paused; what is not declared at all is cancelled"));
        }

        Outcome<Subscription> reached = subscription;
        await StepAsync(there != plan, () => SubscriptionStore.ChangePlanAsync(change, subscription.Id, plan, IfMatch.Any));
        await StepAsync(subscription.State == SubscriptionState.Pending && state != SubscriptionState.Pending, () => MoveAsync(SubscriptionMove.Approve));
        await StepAsync(pending is not null && pending != subscription.PendingPlanId, () => SubscriptionStore.ChangePlanAsync(change, subscription.Id, pending!.Value, IfMatch.Any));
        await StepAsync(state == SubscriptionState.Paused && subscription.State != state, () => MoveAsync(SubscriptionMove.Pause));
        await StepAsync(state == SubscriptionState.Active && subscription.State == SubscriptionState.Paused, () => MoveAsync(SubscriptionMove.Resume));
        return reached;

        async Task StepAsync(bool isNeeded, Func<Task<Outcome<Subscription>>> step)
        {
            if (isNeeded && reached.Problem is null)
            {
                reached = await step();
            }
        }

        Task<Outcome<Subscription>> MoveAsync(SubscriptionMove move) => SubscriptionStore.MoveAsync(change, subscription.Id, move, IfMatch.Any);
    }

    /// <summary>What is declared, with ids in place of names; what names nothing is left out, with the reason in <paramref name="report"/>.</summary>
    public static IReadOnlyList<NamedSubscription> Named(
        ConfigChange change, Application application, IReadOnlyList<DeclaredSubscription?> declared, Dictionary<string, Guid> versions, Dictionary<string, Guid> plans, DeclaredItem item, DeclaredReport report)
    {
        var wanted = new HashSet<Guid>();
        var named = new List<NamedSubscription>();
        for (var i = 0; i < declared.Count; i++)
        {
            var at = $"{item.Pointer}/subscriptions/{i}";
            var subscription = declared[i];
            if (subscription?.Api is not { } api || !versions.TryGetValue(api, out var version) || !wanted.Add(version))
            {
                report.Problem($"{at}/api", "must name an API version, such as orders/v1, once");
            }
            else if (subscription.Plan is not { } name || !plans.TryGetValue(name, out var plan))
            {
                report.Problem($"{at}/plan", $"names no plan: {subscription.Plan}");
            }
            else if (subscription.PendingPlan is { } asked && !plans.ContainsKey(asked))
            {
                report.Problem($"{at}/pendingPlan", $"names no plan: {asked}");
            }
            else
            {
                // Who may decide says it by declaring it: what is exported of one catalog comes out the same in another.
                named.Add(new(
                    new(application.Id, version, plan, AllowDeprecated: change.Caller.May(Permission.DecideSubscriptions)) { Waits = subscription.State == SubscriptionState.Pending },
                    subscription.State, subscription.PendingPlan is { } pending ? plans[pending] : null, at));
            }
        }

        return named;
    }

    public static void Report(Outcome<Subscription> outcome, string at, DeclaredReport report)
    {
        foreach (var error in outcome.Problem?.Errors ?? [])
        {
            report.Problem(error.Pointer == "/planId" ? $"{at}/plan" : error.Pointer == "/versionId" ? $"{at}/api" : error.Pointer == "/state" ? $"{at}/state" : at, error.Detail);
        }
    }

    public static async Task CancelAsync(ConfigChange change, Guid application, IReadOnlySet<Guid> keptVersions)
    {
        var live = await change.Connection.QueryAsync<(Guid Id, Guid VersionId)>(change.Sql(
            "select id, version_id from subscriptions where application_id = @application and state in ('pending', 'active', 'paused')", new { application }));
        foreach (var subscription in live.Where(subscription => !keptVersions.Contains(subscription.VersionId)))
        {
            await SubscriptionStore.MoveAsync(change, subscription.Id, SubscriptionMove.Cancel, IfMatch.Any);
        }
    }
}
