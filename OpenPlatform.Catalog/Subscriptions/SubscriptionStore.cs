using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Subscriptions;

/// <summary>Which subscriptions are asked for; null: whichever.</summary>
internal sealed record SubscriptionFilter(Guid? Application, Guid? Version, Guid? Plan, SubscriptionState? State);

internal sealed class SubscriptionStore(NpgsqlDataSource database)
{
    private const string Columns = "s.id, s.application_id, (select organization_id from applications where id = s.application_id) as organization_id, s.version_id, s.plan_id, s.pending_plan_id, s.state, s.created_at, s.etag";
    private const string Own = "s.application_id in (select id from applications where organization_id = @OrganizationId)";

    internal const string ById = $"select {Columns} from subscriptions s where s.id = any(@keys)";

    private readonly KeyedReads<Guid, Row> _byId = new(database, ById, static (row, id) => row.Id == id);

    /// <param name="caller">Sees those of its organization.</param>
    public async Task<Subscription?> FindOrNullAsync(Caller caller, Guid id) =>
        await _byId.FindOrNullAsync(id) is { } row && caller.Sees(row.OrganizationId) ? row.ToSubscription() : null;

    /// <param name="caller">Sees those of its organization.</param>
    public async Task<IReadOnlyList<Subscription>> ListAsync(Caller caller, SubscriptionFilter filter, PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new(ListSql(filter, caller), new
        {
            filter.Application, filter.Version, filter.Plan, State = filter.State is { } state ? NameOf(state) : null, caller.OrganizationId, page.After, page.Fetch,
        }, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToSubscription())];
    }

    /// <summary>The statement of a list; conditions that are not asked for are not in it, so that each has the index it needs.</summary>
    internal static string ListSql(SubscriptionFilter filter, Caller caller)
    {
        string?[] conditions =
        [
            filter.Application is null ? null : "s.application_id = @Application",
            filter.Version is null ? null : "s.version_id = @Version",
            filter.Plan is null ? null : "s.plan_id = @Plan",
            filter.State is null ? null : "s.state = @State",
            caller.OrganizationId is null ? null : Own,
            "s.id > @After",
        ];
        return $"select {Columns} from subscriptions s where {string.Join(" and ", conditions.OfType<string>())} order by s.id limit @Fetch";
    }

    /// <summary>The new subscription, active or waiting as its plan says; 422 for what it names and cannot be had, a conflict when there is a live one.</summary>
    public static async Task<Outcome<Subscription>> InsertAsync(ConfigChange change, SubscriptionRequest request)
    {
        var organization = await change.Connection.ExecuteScalarAsync<Guid?>(change.Sql("select organization_id from applications where id = @ApplicationId", request));
        var offer = await OfferAsync(change, request.VersionId!.Value, request.PlanId!.Value);
        if (Check(change, request, organization, offer) is { } problem)
        {
            return problem;
        }

        var subscription = Make(change, request, offer);
        var inserted = await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into subscriptions (id, application_id, version_id, plan_id, state, created_at)
            values (@Id, @ApplicationId, @VersionId, @PlanId, @State, @CreatedAt)
            on conflict (application_id, version_id) where state in ('pending', 'active', 'paused') do nothing
            """,
            new { subscription.Id, subscription.ApplicationId, subscription.VersionId, subscription.PlanId, State = NameOf(subscription.State), subscription.CreatedAt }));
        if (inserted == 0)
        {
            return CatalogProblem.Conflict("/versionId", "the application has a pending, active or paused subscription to this version already");
        }

        Emit(change, subscription, organization!.Value, subscription.State == SubscriptionState.Active ? "activated" : "requested");
        return subscription;
    }

    /// <summary>
    /// Subscribes applications that are subscribed to nothing yet, in one statement when all of it is right. In the order of the requests; a problem means
    /// that nothing was written.
    /// </summary>
    /// <param name="organizations">Whose the applications are.</param>
    public static async Task<IReadOnlyList<Outcome<Subscription>>> InsertAllAsync(ConfigChange change, IReadOnlyList<SubscriptionRequest> requests, IReadOnlyDictionary<Guid, Guid> organizations)
    {
        (Guid Version, Guid Plan)[] pairs = [.. requests.Select(static request => (request.VersionId!.Value, request.PlanId!.Value)).Distinct()];
        var offers = (await change.Connection.QueryAsync<NamedOffer>(change.Sql(
            """
            select w.version_id, w.plan_id, v.state as version_state, p.state as plan_state, p.approval_required,
                   not exists (select from plan_offers o where o.plan_id = w.plan_id)
                       or exists (select from plan_offers o where o.plan_id = w.plan_id and o.api_id = v.api_id) as offered
            from unnest(@Versions, @Plans) as w (version_id, plan_id) left join api_versions v on v.id = w.version_id left join plans p on p.id = w.plan_id
            """, new { Versions = pairs.Select(static pair => pair.Version).ToArray(), Plans = pairs.Select(static pair => pair.Plan).ToArray() })))
            .ToDictionary(static offer => (offer.VersionId, offer.PlanId), static offer => new Offer(offer.VersionState, offer.PlanState, offer.ApprovalRequired, offer.Offered));
        Outcome<Subscription>[] outcomes =
        [
            .. requests.Select(request => offers[(request.VersionId!.Value, request.PlanId!.Value)] is var offer && Check(change, request, organizations[request.ApplicationId!.Value], offer) is { } problem
                ? problem
                : (Outcome<Subscription>)Make(change, request, offer)),
        ];
        if (outcomes.Any(static outcome => outcome.Problem is not null))
        {
            return outcomes;
        }

        await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into subscriptions (id, application_id, version_id, plan_id, state, created_at)
            select id, application_id, version_id, plan_id, state, @Now from unnest(@Ids, @Applications, @Versions, @Plans, @States) as row (id, application_id, version_id, plan_id, state)
            """,
            new
            {
                Ids = outcomes.Select(static o => o.Value.Id).ToArray(), Applications = outcomes.Select(static o => o.Value.ApplicationId).ToArray(),
                Versions = outcomes.Select(static o => o.Value.VersionId).ToArray(), Plans = outcomes.Select(static o => o.Value.PlanId).ToArray(),
                States = outcomes.Select(static o => NameOf(o.Value.State)).ToArray(), change.Now,
            }));
        foreach (var subscription in outcomes.Select(static outcome => outcome.Value))
        {
            Emit(change, subscription, organizations[subscription.ApplicationId], subscription.State == SubscriptionState.Active ? "activated" : "requested");
        }

        return outcomes;
    }

    private static CatalogProblem? Check(ConfigChange change, SubscriptionRequest request, Guid? organization, Offer offer)
    {
        var check = new RequestCheck();
        if (organization is null || !change.Caller.Sees(organization.Value))
        {
            check.Add("/applicationId", $"names no application: {request.ApplicationId}");
        }

        if (offer.VersionState is not ("published" or "deprecated"))
        {
            check.Add("/versionId", $"names no published API version: {request.VersionId}");
        }
        else if (request.AllowDeprecated && !change.Caller.May(Permission.DecideSubscriptions) && change.Caller != Caller.System)
        {
            check.Add("/allowDeprecated", "is for those who decide about subscriptions");
        }
        else if (offer.VersionState == "deprecated" && !request.AllowDeprecated)
        {
            check.Add("/versionId", "is deprecated: it will end, so nobody begins with it; subscribe to its successor");
        }

        if (offer.ProblemWith(request.PlanId!.Value) is { } wrong)
        {
            check.Add("/planId", wrong);
        }

        return check.Problem;
    }

    private static Subscription Make(ConfigChange change, SubscriptionRequest request, Offer offer) => new(
        Guid.CreateVersion7(change.Now), request.ApplicationId!.Value, request.VersionId!.Value, request.PlanId!.Value, null,
        offer.ApprovalRequired!.Value || request.Waits ? SubscriptionState.Pending : SubscriptionState.Active, change.Now, 1);

    /// <summary>The subscription after the move; a conflict when it cannot be made. A move that was made already changes nothing.</summary>
    public static async Task<Outcome<Subscription>> MoveAsync(ConfigChange change, Guid id, SubscriptionMove move, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found.Problem;
        }

        var (subscription, organization) = found.Value;
        var asks = subscription.PendingPlanId is not null;
        if (SubscriptionMoves.After(subscription.State, asks, move) is not { } to)
        {
            return CatalogProblem.Conflict("", $"it is {NameOf(subscription.State)}: {move.ToString().ToLowerInvariant()} is not possible");
        }

        var decidesPlan = asks && move is SubscriptionMove.Approve or SubscriptionMove.Reject && to == subscription.State;
        if (to == subscription.State && !decidesPlan)
        {
            return subscription;
        }

        var next = subscription with
        {
            State = to,
            PlanId = decidesPlan && move == SubscriptionMove.Approve ? subscription.PendingPlanId!.Value : subscription.PlanId,
            PendingPlanId = decidesPlan || to == SubscriptionState.Cancelled ? null : subscription.PendingPlanId,
        };
        Emit(change, next, organization, decidesPlan ? (move == SubscriptionMove.Approve ? "plan_changed" : "plan_refused") : move switch
        {
            SubscriptionMove.Approve => "activated",
            SubscriptionMove.Reject => "rejected",
            SubscriptionMove.Pause => "paused",
            SubscriptionMove.Resume => "resumed",
            _ => "cancelled",
        });
        return await UpdateAsync(change, next);
    }

    /// <summary>
    /// The subscription under another plan. Where that plan asks for approval, a pending subscription goes on waiting, and an active or paused
    /// one keeps its plan until it is approved. Asking for the plan that it has takes back what waits.
    /// </summary>
    public static async Task<Outcome<Subscription>> ChangePlanAsync(ConfigChange change, Guid id, Guid plan, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found.Problem;
        }

        var (subscription, organization) = found.Value;
        if (subscription.State is SubscriptionState.Cancelled or SubscriptionState.Rejected)
        {
            return CatalogProblem.Conflict("", $"it is {NameOf(subscription.State)}; subscribe again");
        }

        if (plan == subscription.PlanId)
        {
            return subscription.PendingPlanId is null ? subscription : await UpdateAsync(change, subscription with { PendingPlanId = null });
        }

        var offer = await OfferAsync(change, subscription.VersionId, plan);
        if (offer.ProblemWith(plan) is { } wrong)
        {
            return CatalogProblem.Invalid(new ProblemError("/planId", wrong));
        }

        var waits = offer.ApprovalRequired!.Value;
        var next = (subscription.State, waits) switch
        {
            (SubscriptionState.Pending, true) => subscription with { PlanId = plan },
            (SubscriptionState.Pending, false) => subscription with { PlanId = plan, State = SubscriptionState.Active },
            (_, true) => subscription with { PendingPlanId = plan },
            _ => subscription with { PlanId = plan, PendingPlanId = null },
        };
        if (next == subscription)
        {
            return subscription;
        }

        Emit(change, next, organization, waits ? "plan_requested" : subscription.State == SubscriptionState.Pending ? "activated" : "plan_changed");
        return await UpdateAsync(change, next);
    }

    private static async Task<Outcome<Subscription>> UpdateAsync(ConfigChange change, Subscription next) =>
        (await change.Connection.QuerySingleAsync<Row>(change.Sql(
            $"update subscriptions s set state = @State, plan_id = @PlanId, pending_plan_id = @PendingPlanId, etag = etag + 1 where s.id = @Id returning {Columns}",
            new { next.Id, State = NameOf(next.State), next.PlanId, next.PendingPlanId }))).ToSubscription();

    /// <summary>The subscription, locked.</summary>
    public static async Task<Outcome<Subscription>> LockAsync(ConfigChange change, Guid id) =>
        await LockAsync(change, id, IfMatch.Any) is { Problem: null } found ? found.Value.Subscription : CatalogProblem.NotFound("subscription", id);

    private static async Task<Outcome<(Subscription Subscription, Guid Organization)>> LockAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var row = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql($"select {Columns} from subscriptions s where s.id = @id for update", new { id }));
        return row is null || !change.Caller.Sees(row.OrganizationId) ? CatalogProblem.NotFound("subscription", id)
            : ifMatch.Check(row.Etag) is { } problem ? problem
            : (row.ToSubscription(), row.OrganizationId);
    }

    private static Task<Offer> OfferAsync(ConfigChange change, Guid version, Guid plan) => change.Connection.QuerySingleAsync<Offer>(change.Sql(
        """
        select (select state from api_versions where id = @version) as version_state,
               (select state from plans where id = @plan) as plan_state,
               (select approval_required from plans where id = @plan) as approval_required,
               not exists (select from plan_offers where plan_id = @plan)
                   or exists (select from plan_offers o join api_versions v on v.api_id = o.api_id where o.plan_id = @plan and v.id = @version) as offered
        """, new { version, plan }));

    private static void Emit(ConfigChange change, Subscription subscription, Guid organization, string what) =>
        change.Emit($"openplatform.subscription.{what}", $"subscriptions/{subscription.Id}", subscription, organization);

    private static string NameOf(SubscriptionState state) => state.ToString().ToLowerInvariant();

    private sealed record Offer(string? VersionState, string? PlanState, bool? ApprovalRequired, bool Offered)
    {
        /// <summary>Why this plan cannot be had for this version; null: it can.</summary>
        public string? ProblemWith(Guid plan) => PlanState switch
        {
            null => $"names no plan: {plan}",
            // Of a version that is not there nothing is offered, and that is said of the version.
            "published" when VersionState is null || Offered => null,
            "published" => "is not offered for this API",
            _ => $"is {PlanState}; only a published plan can be had",
        };
    }

    private sealed record NamedOffer(Guid VersionId, Guid PlanId, string? VersionState, string? PlanState, bool? ApprovalRequired, bool Offered);

    private sealed record Row(Guid Id, Guid ApplicationId, Guid OrganizationId, Guid VersionId, Guid PlanId, Guid? PendingPlanId, string State, DateTimeOffset CreatedAt, long Etag)
    {
        public Subscription ToSubscription() =>
            new(Id, ApplicationId, VersionId, PlanId, PendingPlanId, Enum.Parse<SubscriptionState>(State, ignoreCase: true), CreatedAt, Etag);
    }
}
