using System.Text.Json.Nodes;
using Dapper;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Changes;

/// <summary>Who calls what a changeset touches: live subscriptions to its API versions, under its plans, over its backends, of its applications.</summary>
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
            select o.name || '/' || p.name as application, array_agg(distinct a.name || '/' || v.version) as versions
            from subscriptions s
            join applications p on p.id = s.application_id
            join organizations o on o.id = p.organization_id
            join api_versions v on v.id = s.version_id
            join apis a on a.id = v.api_id
            join plans l on l.id = s.plan_id
            left join api_revisions r on r.version_id = v.id and r.revision = v.current_revision
            left join backends b on b.id = r.backend_id
            where s.state not in ('cancelled', 'rejected')
              and (a.name || '/' || v.version = any(@Apis) or l.name = any(@Plans) or b.name = any(@Backends) or o.name || '/' || p.name = any(@Applications) or o.name = any(@Organizations))
            group by 1 order by 1 limit @Most
            """,
            new { Apis = Of("apis"), Plans = Of("plans"), Backends = Of("backends"), Applications = Of("applications"), Organizations = Of("organizations"), Most }));
        return [.. rows.Select(static row => new AffectedApplication(row.Application, row.Versions))];

        string[] Of(string list) => touched.GetValueOrDefault(list) ?? [];
    }
}
