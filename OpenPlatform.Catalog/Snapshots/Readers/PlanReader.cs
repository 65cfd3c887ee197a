using Dapper;
using OpenPlatform.Catalog.Plans;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Snapshots.Readers;

/// <summary>Plans in the revision that is in force, save drafts.</summary>
internal static class PlanReader
{
    /// <param name="segments">Null: all.</param>
    public static async Task<Snapshot> ReadAsync(ConfigChange change, Snapshot snapshot, string[]? segments)
    {
        var rows = await change.Connection.QueryAsync<Row>(change.Sql(
            """
            select p.id as plan_id, p.name, r.terms::text as terms
            from plans p join plan_revisions r on r.plan_id = p.id and r.revision = p.current_revision
            where p.state <> 'draft' and (@segments::text[] is null or segment_of(p.id) = any(@segments)) order by p.id
            """, new { segments }));
        return snapshot with { Plans = [.. rows.Select(static p => PlanStore.ModelOf(p.PlanId, p.Name, p.Terms))] };
    }

    private sealed record Row(Guid PlanId, string Name, string Terms);
}
