using System.Text.Json;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Storage;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Plans;

internal sealed class PlanStore(NpgsqlDataSource database)
{
    private const int MostAffectedShown = 100;

    private const string Select =
        """
        select p.id, p.name, p.state, p.current_revision as revision, p.approval_required, p.created_at, p.etag, r.terms::text as terms,
               array(select api_id from plan_offers where plan_id = p.id order by api_id) as apis
        from plans p join plan_revisions r on r.plan_id = p.id and r.revision = p.current_revision
        """;

    /// <param name="drafts">False: what is not on offer yet is not there.</param>
    internal static string ListSql(bool drafts) => $"{Select} where {(drafts ? "" : "p.state <> 'draft' and ")}p.id > @After order by p.id limit @Fetch";

    internal const string ById = $"{Select} where p.id = any(@keys)";

    private readonly KeyedReads<Guid, Row> _byId = new(database, ById, static (row, id) => row.Id == id);

    public async Task<Plan?> FindOrNullAsync(Guid id) => (await _byId.FindOrNullAsync(id))?.ToPlan();

    /// <inheritdoc cref="ListSql"/>
    public async Task<IReadOnlyList<Plan>> ListAsync(PageStart page, bool drafts, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new(ListSql(drafts), page, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToPlan())];
    }

    /// <summary>Revisions of a plan before a number, the newest first; null when there is no such plan.</summary>
    public async Task<IReadOnlyList<PlanRevision>?> RevisionsOrNullAsync(Guid id, int before, int fetch, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = (await connection.QueryAsync<RevisionRow>(new(
            "select revision, terms::text as terms, created_at from plan_revisions where plan_id = @id and revision < @before order by revision desc limit @fetch",
            new { id, before, fetch }, cancellationToken: cancellationToken))).AsList();
        if (rows.Count == 0 && !await connection.ExecuteScalarAsync<bool>(new("select exists (select from plans where id = @id)", new { id }, cancellationToken: cancellationToken)))
        {
            return null;
        }

        return [.. rows.Select(row =>
        {
            var terms = ModelOf(id, "", row.Terms);
            return new PlanRevision(row.Revision, terms.RateLimits, terms.Quotas, terms.Priority, terms.Schemes, terms.ReplayCheck, terms.Scopes, row.CreatedAt);
        })];
    }

    /// <summary>The new plan; a conflict about its name, or 422 for an unknown API.</summary>
    public static async Task<Outcome<Plan>> InsertAsync(ConfigChange change, PlanRequest request)
    {
        var id = Guid.CreateVersion7(change.Now);
        var inserted = await change.Connection.ExecuteAsync(change.Sql(
            """
            with plan as (
                insert into plans (id, name, state, approval_required, created_at) values (@id, @Name, @State, @ApprovalRequired, @Now)
                on conflict (name) do nothing returning id)
            insert into plan_revisions (plan_id, revision, terms, created_at) select id, 1, @Terms::jsonb, @Now from plan
            """, new { id, request.Name, State = NameOf(request.State), request.ApprovalRequired, Terms = TextOf(request.Terms(id)), change.Now }));
        if (inserted == 0)
        {
            return CatalogProblem.Conflict("/name", $"there is a plan {request.Name} already");
        }

        if (request.Apis is { Count: > 0 } && await OfferAsync(change, id, request.Apis) is { } problem)
        {
            return problem;
        }

        var plan = await ReadAsync(change, id);
        Emit(change, plan, "created");
        return plan;
    }

    /// <summary>New plans of names that nothing has, in one statement; their APIs are known. In the order of the requests.</summary>
    public static async Task<IReadOnlyList<Plan>> InsertAllAsync(ConfigChange change, IReadOnlyList<PlanRequest> requests)
    {
        var ids = NewIds.Of(requests.Count, change.Now);
        var rows = new JsonArray([.. requests.Select((request, i) => (JsonNode)new JsonObject
        {
            ["id"] = ids[i], ["name"] = request.Name, ["state"] = NameOf(request.State), ["approval_required"] = request.ApprovalRequired,
            ["terms"] = JsonNode.Parse(TextOf(request.Terms(ids[i]))), ["apis"] = new JsonArray([.. (request.Apis ?? []).Distinct().Select(static api => (JsonNode)api)]),
        })]);
        var plans = (await change.Connection.QueryAsync<Row>(change.Sql(
            $"""
            with rows as materialized (
                select * from jsonb_to_recordset(@Rows::jsonb) as row (id uuid, name text, state text, approval_required boolean, terms jsonb, apis uuid[])),
            plan as (
                insert into plans (id, name, state, approval_required, created_at) select id, name, state, approval_required, @Now from rows),
            offer as (
                insert into plan_offers (plan_id, api_id) select id, api from rows cross join unnest(apis) as api)
            insert into plan_revisions (plan_id, revision, terms, created_at) select id, 1, terms, @Now from rows;

            {Select} where p.id = any(@ids);
            """, new { Rows = rows.ToJsonString(), change.Now, ids }))).ToDictionary(static row => row.Id, static row => row.ToPlan());
        foreach (var id in ids)
        {
            Emit(change, plans[id], "created");
        }

        return [.. ids.Select(id => plans[id])];
    }

    /// <summary>The plan after the change, and whom it affects. Other terms are a new revision, in force for all subscriptions at once.</summary>
    public static async Task<Outcome<ChangedPlan>> PatchAsync(ConfigChange change, Guid id, MergePatch patch, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found.Problem;
        }

        var plan = found.Value;
        if (plan.State == PlanState.Retired)
        {
            return CatalogProblem.Conflict("", "it is retired; make a new plan");
        }

        var request = patch.ApplyTo(PlanRequest.Of(plan));
        if (request.Check() is { } problem)
        {
            return problem;
        }

        return request.State == plan.State
            ? await ReplaceAsync(change, plan, request)
            : CatalogProblem.Invalid(new ProblemError("/state", "is changed by :publish and :retire"));
    }

    /// <summary>Makes a locked plan what the request says.</summary>
    public static async Task<Outcome<ChangedPlan>> ReplaceAsync(ConfigChange change, Plan plan, PlanRequest request)
    {
        var terms = TextOf(request.Terms(plan.Id));
        var changesTerms = terms != TextOf(PlanRequest.Of(plan).Terms(plan.Id));
        var changesOffer = !(request.Apis ?? []).Order().SequenceEqual(plan.Apis ?? []);
        if (!changesTerms && !changesOffer && (request.Name, request.ApprovalRequired) == (plan.Name, plan.ApprovalRequired))
        {
            return new ChangedPlan(plan);
        }

        if (request.Name != plan.Name && await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from plans where name = @Name)", new { request.Name })))
        {
            return CatalogProblem.Conflict("/name", $"there is a plan {request.Name} already");
        }

        if (changesTerms)
        {
            await InsertRevisionAsync(change, plan.Id, plan.Revision + 1, terms);
        }

        await change.Connection.ExecuteAsync(change.Sql(
            "update plans set name = @Name, approval_required = @ApprovalRequired, current_revision = @Revision, etag = etag + 1 where id = @Id",
            new { plan.Id, request.Name, request.ApprovalRequired, Revision = plan.Revision + (changesTerms ? 1 : 0) }));
        if (changesOffer && await OfferAsync(change, plan.Id, request.Apis) is { } problem)
        {
            return problem;
        }

        var changed = new ChangedPlan(await ReadAsync(change, plan.Id));
        Emit(change, changed, "changed");
        return changesTerms ? await WithAffectedAsync(change, changed) : changed;
    }

    /// <summary>Makes a plan what the request says, its state too; null when that worked.</summary>
    public static async Task<CatalogProblem?> PutAsync(ConfigChange change, Guid id, PlanRequest request)
    {
        var plan = (await LockAsync(change, id, IfMatch.Any)).Value;
        if (plan.State != PlanState.Retired && (await ReplaceAsync(change, plan, request)).Problem is { } problem)
        {
            return problem;
        }

        return plan.State == PlanState.Retired && request.State == PlanState.Retired ? null : (await MoveAsync(change, id, request.State, IfMatch.Any)).Problem;
    }

    /// <summary>The plan in state <paramref name="to"/>; a conflict when it cannot go there.</summary>
    public static async Task<Outcome<Plan>> MoveAsync(ConfigChange change, Guid id, PlanState to, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null || found.Value.State == to)
        {
            return found;
        }

        // The states are in the order of a plan's life.
        if (found.Value.State > to)
        {
            return CatalogProblem.Conflict("", $"a plan that is {NameOf(found.Value.State)} cannot become {NameOf(to)}");
        }

        await change.Connection.ExecuteAsync(change.Sql("update plans set state = @State, etag = etag + 1 where id = @id", new { id, State = NameOf(to) }));
        var moved = await ReadAsync(change, id);
        Emit(change, moved, NameOf(to));
        return moved;
    }

    /// <summary>True, or a conflict when somebody ever subscribed under it.</summary>
    public static async Task<Outcome<bool>> DeleteAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found.Problem;
        }

        if (await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from subscriptions where plan_id = @id or pending_plan_id = @id)", new { id })))
        {
            return CatalogProblem.Conflict("", "there are subscriptions under it; retire it instead");
        }

        await change.Connection.ExecuteAsync(change.Sql(
            """
            delete from plan_rate_limits where plan_id = @id;
            delete from plan_revisions where plan_id = @id;
            delete from plans where id = @id;
            """, new { id }));
        Emit(change, found.Value, "deleted");
        return true;
    }

    /// <summary>As gateways know it.</summary>
    /// <param name="terms">Of <c>plan_revisions</c>.</param>
    public static PlanModel ModelOf(Guid id, string name, string terms)
    {
        var model = JsonNode.Parse(terms)!.AsObject();
        (model["planId"], model["name"]) = (id, name);
        return model.Deserialize(SnapshotJson.Default.PlanModel)!;
    }

    private static string TextOf(PlanModel model)
    {
        var terms = JsonSerializer.SerializeToNode(model, SnapshotJson.Default.PlanModel)!.AsObject();
        terms.Remove("planId");
        terms.Remove("name");
        return terms.ToJsonString();
    }

    private static Task InsertRevisionAsync(ConfigChange change, Guid id, int revision, string terms) => change.Connection.ExecuteAsync(change.Sql(
        "insert into plan_revisions (plan_id, revision, terms, created_at) values (@id, @revision, @terms::jsonb, @Now)", new { id, revision, terms, change.Now }));

    /// <summary>Null, or 422 for an API that is not there.</summary>
    private static async Task<CatalogProblem?> OfferAsync(ConfigChange change, Guid id, IReadOnlyList<Guid>? apis)
    {
        var wanted = (apis ?? []).Distinct().ToArray();
        var offered = await change.Connection.ExecuteScalarAsync<int>(change.Sql(
            """
            delete from plan_offers where plan_id = @id;
            with offered as (insert into plan_offers (plan_id, api_id) select @id, id from apis where id = any(@wanted) returning 1)
            select count(*)::int from offered;
            """, new { id, wanted }));
        if (offered == wanted.Length)
        {
            return null;
        }

        var known = (await change.Connection.QueryAsync<Guid>(change.Sql("select id from apis where id = any(@wanted)", new { wanted }))).ToHashSet();
        return CatalogProblem.Invalid([.. apis!.Select(static (api, i) => (Api: api, Index: i)).Where(item => !known.Contains(item.Api))
            .Select(static item => new ProblemError($"/apis/{item.Index}", $"names no API: {item.Api}"))]);
    }

    private static async Task<ChangedPlan> WithAffectedAsync(ConfigChange change, ChangedPlan plan)
    {
        const string Live = "s.plan_id = @Id and s.state in ('pending', 'active', 'paused')";
        await using var rows = await change.Connection.QueryMultipleAsync(change.Sql(
            $"""
            select count(*) from subscriptions s where {Live};
            select s.id as subscription_id, s.application_id, a.organization_id, s.version_id
            from subscriptions s join applications a on a.id = s.application_id where {Live} order by s.id limit {MostAffectedShown};
            """, new { plan.Id }));
        return plan with { AffectedSubscriptions = await rows.ReadSingleAsync<long>(), Affected = (await rows.ReadAsync<AffectedSubscription>()).AsList() };
    }

    private static void Emit(ConfigChange change, Plan plan, string what) => change.Emit($"openplatform.plan.{what}", $"plans/{plan.Id}", plan);

    private static async Task<Plan> ReadAsync(ConfigChange change, Guid id) =>
        (await change.Connection.QuerySingleAsync<Row>(change.Sql($"{Select} where p.id = @id", new { id }))).ToPlan();

    private static async Task<Outcome<Plan>> LockAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var row = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql($"{Select} where p.id = @id for update of p", new { id }));
        return row is null ? CatalogProblem.NotFound("plan", id)
            : ifMatch.Check(row.Etag) is { } problem ? problem
            : row.ToPlan();
    }

    private static string NameOf(PlanState state) => state.ToString().ToLowerInvariant();

    private sealed record RevisionRow(int Revision, string Terms, DateTimeOffset CreatedAt);

    private sealed record Row(
        Guid Id, string Name, string State, int Revision, bool ApprovalRequired, DateTimeOffset CreatedAt, long Etag, string Terms, Guid[] Apis)
    {
        public Plan ToPlan()
        {
            var terms = ModelOf(Id, Name, Terms);
            return new(Id, Name, Enum.Parse<PlanState>(State, ignoreCase: true), Revision, ApprovalRequired, Apis.Length == 0 ? null : Apis,
                terms.RateLimits, terms.Quotas, terms.Priority, terms.Schemes, terms.ReplayCheck, terms.Scopes, CreatedAt, Etag);
        }
    }
}
