using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Changes;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Plans;

/// <summary>Plans in changesets, as the snapshot has them, without an id: <c>{ name: gold, rateLimits: [ … ], approvalRequired: true, apis: [ orders ] }</c>.</summary>
internal sealed class DeclaredPlans : IDeclaredKind
{
    public string List => "plans";

    /// <summary>After the APIs that they are offered for.</summary>
    public int Order => 45;

    public Permission Write => Permission.WritePlans;

    public string? NameOf(JsonObject item) => DeclaredJson.Text(item, "name");

    public async Task<IReadOnlyDictionary<string, JsonObject>> ReadAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyCollection<string>? names, CancellationToken cancellationToken)
    {
        // What has its default is left out, as it would be written.
        var rows = await connection.QueryAsync<(string Name, string Body)>(new(
            $"""
            select p.name, (jsonb_strip_nulls(jsonb_build_object(
                'name', p.name, 'approvalRequired', nullif(p.approval_required, false), 'state', nullif(p.state, 'published'),
                'apis', (select jsonb_agg(a.name order by a.name) from plan_offers o join apis a on a.id = o.api_id where o.plan_id = p.id)))
                || case when r.terms -> 'rateLimits' = '[]' then r.terms - 'rateLimits' else r.terms end)::text
            from plans p join plan_revisions r on r.plan_id = p.id and r.revision = p.current_revision
            {(names is null ? "" : "where p.name = any(@names)")}
            """, new { names = names?.ToArray() }, transaction, cancellationToken: cancellationToken));
        return rows.ToDictionary(static row => row.Name, static row => JsonNode.Parse(row.Body)!.AsObject(), StringComparer.Ordinal);
    }

    public async Task PutAsync(ConfigChange change, IReadOnlyList<DeclaredItem> items, DeclaredReport report)
    {
        var apis = (await change.Connection.QueryAsync<(string Name, Guid Id)>(change.Sql("select name, id from apis"))).ToDictionary(static api => api.Name, static api => api.Id, StringComparer.Ordinal);
        var added = new List<(DeclaredItem Item, PlanRequest Request)>();
        foreach (var item in items)
        {
            var body = (JsonObject)item.Body.DeepClone();
            if (!NameToId(body, apis, item, report) || DeclaredJson.Read<PlanRequest>(item with { Body = body }, report) is not { } request)
            {
                continue;
            }

            if (item.Current is null && request.Check() is null)
            {
                added.Add((item, request));
            }
            else if ((request.Check() ?? await PutAsync(change, item, request, report)) is { } problem)
            {
                DeclaredJson.Report(item, problem, report);
            }
        }

        // New ones in one statement; nothing is written when something is wrong in any case.
        if (added.Count > 0 && report.Problems.Count == 0)
        {
            var plans = await PlanStore.InsertAllAsync(change, [.. added.Select(static put => put.Request with { State = put.Request.State == PlanState.Retired ? PlanState.Published : put.Request.State })]);
            for (var i = 0; i < plans.Count; i++)
            {
                report.StandsAt(plans[i].Id, added[i].Item.Pointer);
            }
        }
    }

    /// <summary>A plan that is retired has subscriptions perhaps, which begin under it before.</summary>
    public async Task FinishAsync(ConfigChange change, IReadOnlyList<DeclaredItem> items, DeclaredReport report)
    {
        foreach (var item in items.Where(static item => item.Current is null && DeclaredJson.Text(item.Body, "state") == "retired"))
        {
            var id = await change.Connection.ExecuteScalarAsync<Guid>(change.Sql("select id from plans where name = @Name", new { item.Name }));
            if ((await PlanStore.MoveAsync(change, id, PlanState.Retired, IfMatch.Any)).Problem is { } problem)
            {
                DeclaredJson.Report(item, problem, report);
            }
        }
    }

    public async Task DeleteAsync(ConfigChange change, IReadOnlyList<DeclaredName> names, DeclaredReport report)
    {
        foreach (var name in names)
        {
            var id = await change.Connection.ExecuteScalarAsync<Guid>(change.Sql("select id from plans where name = @Name", new { name.Name }));
            if ((await PlanStore.DeleteAsync(change, id, IfMatch.Any)).Problem is { } problem)
            {
                report.Problem(name.Pointer, $"plan {name.Name}: {problem.Detail ?? problem.Errors[0].Detail}");
            }
        }
    }

    private static async Task<CatalogProblem?> PutAsync(ConfigChange change, DeclaredItem item, PlanRequest request, DeclaredReport report)
    {
        var id = await change.Connection.ExecuteScalarAsync<Guid>(change.Sql("select id from plans where name = @Name", new { item.Name }));
        report.StandsAt(id, item.Pointer);
        return await PlanStore.PutAsync(change, id, request);
    }

    /// <summary>False when an API is named that is not there.</summary>
    private static bool NameToId(JsonObject body, Dictionary<string, Guid> apis, DeclaredItem item, DeclaredReport report)
    {
        var known = true;
        for (var i = 0; body["apis"] is JsonArray names && i < names.Count; i++)
        {
            if (names[i] is JsonValue value && value.TryGetValue(out string? name) && apis.TryGetValue(name, out var id))
            {
                names[i] = id;
            }
            else
            {
                report.Problem($"{item.Pointer}/apis/{i}", "names no API, neither of the catalog nor of this changeset");
                known = false;
            }
        }

        return known;
    }
}
