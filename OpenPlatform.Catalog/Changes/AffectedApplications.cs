using System.Text.Json.Nodes;
using Dapper;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Changes;

/// <summary>Who calls what a changeset touches: live subscriptions to its API versions, under its plans, over its backends (also as a part of a split or as
/// a stand-in), of its applications.</summary>
internal static class AffectedApplications
{
    private const int Most = 1_000;

    public static async Task<IReadOnlyList<AffectedApplication>> ReadAsync(
        ConfigChange change, IReadOnlyList<KindChanges> asked, IReadOnlyDictionary<IDeclaredKind, IReadOnlyDictionary<string, JsonObject>> before)
    {
        // What is new has no callers, and what stays as it is does not concern them.
        var touched = asked.ToDictionary(static kind => kind.Kind.List, kind => kind.Puts
            .Where(put => before[kind.Kind].TryGetValue(put.Name, out var current) && !JsonNode.DeepEquals(current, put.Body)).Select(static put => put.Name)
            .Concat(kind.Deletes.Select(static delete => delete.Name)).ToArray(), StringComparer.Ordinal);
        if (touched.Values.All(static names => names.Length == 0))
        {
            return [];
        }

        var rows = await change.Connection.QueryAsync<(string Application, string[] Versions)>(change.Sql(
            """
            with over as materialized (
                select r.version_id from backends b
                join api_revisions r on r.backend_id = b.id or jsonb_path_exists(r.policies, '$.** ? (@.backendId == $id || @.alternateBackendId == $id)', jsonb_build_object('id', b.id))
                join api_versions v on v.id = r.version_id and v.current_revision = r.revision
                where b.name = any(@Backends))
            select o.name || '/' || p.name as application, array_agg(distinct a.name || '/' || v.version) as versions
            from subscriptions s
            join applications p on p.id = s.application_id
            join organizations o on o.id = p.organization_id
            join api_versions v on v.id = s.version_id
            join apis a on a.id = v.api_id
            join plans l on l.id = s.plan_id
            left join plans n on n.id = s.pending_plan_id
            where s.state not in ('cancelled', 'rejected')
              and (a.name || '/' || v.version = any(@Apis) or l.name = any(@Plans) or n.name = any(@Plans) or v.id in (select version_id from over)
                  or o.name || '/' || p.name = any(@Applications) or o.name = any(@Organizations))
            group by 1 order by 1 limit @Most
            """,
            new { Apis = Of("apis"), Plans = Of("plans"), Backends = Of("backends"), Applications = Of("applications"), Organizations = Of("organizations"), Most }));
        return [.. rows.Select(static row => new AffectedApplication(row.Application, row.Versions))];

        string[] Of(string list) => touched.GetValueOrDefault(list) ?? [];
    }
}
