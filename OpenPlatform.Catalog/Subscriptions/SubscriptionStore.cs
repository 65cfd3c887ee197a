using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Subscriptions;

internal sealed class SubscriptionStore(NpgsqlDataSource database)
{
    private const string Columns = "id, application_id, version_id, plan_id, state, created_at, etag";

    public async Task<Subscription?> FindOrNullAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QuerySingleOrDefaultAsync<Row>(
            new($"select {Columns} from subscriptions where id = @id", new { id }, cancellationToken: cancellationToken)))?.ToSubscription();
    }

    /// <param name="application">Only those of this application; null: all.</param>
    public async Task<IReadOnlyList<Subscription>> ListAsync(Guid? application, PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var filter = application is null ? "" : "application_id = @application and";
        var rows = await connection.QueryAsync<Row>(new(
            $"select {Columns} from subscriptions where {filter} id > @After order by id limit @Fetch", new { application, page.After, page.Fetch }, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToSubscription())];
    }

    /// <summary>The new subscription, active or waiting as its plan says; 422 for what it names and is not there, a conflict when there is a live one.</summary>
    public static async Task<Outcome<Subscription>> InsertAsync(ConfigChange change, SubscriptionRequest request)
    {
        var known = await change.Connection.QuerySingleAsync<Known>(change.Sql(
            """
            select exists (select from applications where id = @ApplicationId) as application,
                   exists (select from api_versions where id = @VersionId) as version,
                   (select approval_required from plans where id = @PlanId) as approval_required
            """, request));
        var check = new RequestCheck();
        if (!known.Application)
        {
            check.Add("/applicationId", $"names no application: {request.ApplicationId}");
        }

        if (!known.Version)
        {
            check.Add("/versionId", $"names no API version: {request.VersionId}");
        }

        if (known.ApprovalRequired is null)
        {
            check.Add("/planId", $"names no plan: {request.PlanId}");
        }

        if (check.Problem is { } problem)
        {
            return problem;
        }

        var subscription = new Subscription(
            Guid.CreateVersion7(change.Now), request.ApplicationId!.Value, request.VersionId!.Value, request.PlanId!.Value,
            known.ApprovalRequired!.Value ? SubscriptionState.Pending : SubscriptionState.Active, change.Now, 1);
        var inserted = await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into subscriptions (id, application_id, version_id, plan_id, state, created_at)
            values (@Id, @ApplicationId, @VersionId, @PlanId, @State, @CreatedAt)
            on conflict (application_id, version_id) where state in ('pending', 'active') do nothing
            """,
            new { subscription.Id, subscription.ApplicationId, subscription.VersionId, subscription.PlanId, State = NameOf(subscription.State), subscription.CreatedAt }));
        return inserted == 1
            ? subscription
            : CatalogProblem.Conflict("/versionId", "the application has a pending or active subscription to this version already");
    }

    /// <summary>The subscription in state <paramref name="to"/>; a conflict when it cannot go there.</summary>
    public static async Task<Outcome<Subscription>> MoveAsync(ConfigChange change, Guid id, SubscriptionState to, IfMatch ifMatch)
    {
        var row = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql($"select {Columns} from subscriptions where id = @id for update", new { id }));
        if (row is null)
        {
            return CatalogProblem.NotFound("subscription", id);
        }

        var subscription = row.ToSubscription();
        if (ifMatch.Check(subscription.Etag) is { } problem)
        {
            return problem;
        }

        if (subscription.State == to)
        {
            return subscription;
        }

        if (!SubscriptionMoves.Allows(subscription.State, to))
        {
            return CatalogProblem.Conflict("", $"a subscription that is {NameOf(subscription.State)} cannot become {NameOf(to)}");
        }

        var moved = await change.Connection.QuerySingleAsync<Row>(change.Sql(
            $"update subscriptions set state = @State, etag = etag + 1 where id = @id returning {Columns}", new { id, State = NameOf(to) }));
        return moved.ToSubscription();
    }

    private static string NameOf(SubscriptionState state) => state.ToString().ToLowerInvariant();

    private sealed record Known(bool Application, bool Version, bool? ApprovalRequired);

    private sealed record Row(Guid Id, Guid ApplicationId, Guid VersionId, Guid PlanId, string State, DateTimeOffset CreatedAt, long Etag)
    {
        public Subscription ToSubscription() =>
            new(Id, ApplicationId, VersionId, PlanId, Enum.Parse<SubscriptionState>(State, ignoreCase: true), CreatedAt, Etag);
    }
}
