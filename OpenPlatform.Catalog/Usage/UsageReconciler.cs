using System.Text.Json;
using Dapper;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Jobs;

namespace OpenPlatform.Catalog.Usage;

/// <summary>
/// Proves that hours = items = batches: what changed every few minutes, everything once a day. An hour that differs from its items is
/// written anew from them; a batch that differs from its items cannot be mended, and is reported.
/// </summary>
internal sealed partial class UsageReconciler(IOptions<UsageOptions> options, UsageMetrics metrics, ILogger<UsageReconciler> logger) : IJob
{
    private const int MostDifferences = 100;

    private static readonly TimeSpan CompleteEvery = TimeSpan.FromDays(1);

    public string Name => "usage-reconciliation";

    public TimeSpan Interval => options.Value.ReconcileInterval;

    public async Task<JobResult> RunAsync(JobRun run)
    {
        // Only the holder of the lease rolls up, and it is busy here: what comes meanwhile is not in the hours and is not looked at.
        var last = await run.Connection.QuerySingleAsync<Last>(run.Sql(
            "select max(finished_at) filter (where complete) as complete, coalesce(max(finished_at), '2000-01-01Z') as any from usage_reconciliations"));
        var complete = last.Complete is null || run.Now - last.Complete >= CompleteEvery;
        await run.Connection.ExecuteAsync(run.Sql(
            """
            create temporary table checked_hours (hour timestamptz primary key) on commit drop;
            insert into checked_hours
            select hour from (select distinct hour from usage_hours where @complete
                union select distinct date_trunc('hour', minute, 'UTC') from usage_items where @complete
                union select hour from usage_touched_hours) h
            where hour >= (select items_from from usage_horizon);
            delete from usage_touched_hours;
            analyze checked_hours;
            """, new { complete }));

        var hours = await DifferentHoursAsync(run);
        var batches = await DifferentBatchesAsync(run, complete, last.Any);
        var repaired = hours.Count > 0 && options.Value.Repair;
        if (repaired)
        {
            await RepairAsync(run, [.. hours.Select(static difference => difference.Hour!.Value)]);
        }

        var sums = await run.Connection.QuerySingleAsync<Sums>(run.Sql(
            """
            select (select count(*) from checked_hours) as hours,
                   (select coalesce(sum(units), 0)::bigint from usage_batches where rolled_up_at is not null and @complete) as batches,
                   (select coalesce(sum(i.units), 0)::bigint from checked_hours c join usage_items i on i.minute >= c.hour and i.minute < c.hour + interval '1 hour'
                    join usage_batches b on b.id = i.batch_id and b.rolled_up_at is not null) as items,
                   (select coalesce(sum(h.units), 0)::bigint from usage_hours h where @complete or h.hour in (select hour from checked_hours)) as in_hours
            """, new { complete }));
        List<UsageDifference> differences = [.. hours, .. batches];
        if (complete && sums.Batches != sums.InHours)
        {
            differences.Add(new(null, null, sums.Batches, sums.InHours, "all batches and all hours"));
        }

        await run.Connection.ExecuteAsync(run.Sql(
            """
            insert into usage_reconciliations (id, finished_at, complete, hours, units_batches, units_items, units_hours, differences, repaired)
            values (@Id, @Now, @complete, @Hours, case when @complete then @Batches end, @Items, @InHours, @Differences::json, @repaired);
            delete from usage_reconciliations where finished_at < @Now - interval '400 days' or (not complete and finished_at < @Now - interval '7 days');
            """,
            new
            {
                Id = Guid.CreateVersion7(run.Now), run.Now, complete, sums.Hours, sums.Batches, sums.Items, sums.InHours, repaired,
                Differences = JsonSerializer.Serialize(differences.Take(MostDifferences), JsonSerializerOptions.Web),
            }));
        metrics.Differences(differences.Count);
        if (differences.Count > 0)
        {
            LogDifferences(differences.Count, repaired, differences[0].What);
        }

        return new(repaired ? hours.Count : 0, Detail: differences.Count == 0 ? null : $"{differences.Count} differences, the first: {differences[0].What}");
    }

    private static async Task<List<UsageDifference>> DifferentHoursAsync(JobRun run) => (await run.Connection.QueryAsync<(DateTime Hour, long Items, long Hours)>(run.Sql(
        """
        with items as (
            select date_trunc('hour', i.minute, 'UTC') as hour, i.application_id, i.version_id, i.operation_id, i.status, i.subscription_id, sum(i.units)::bigint as units
            from checked_hours c join usage_items i on i.minute >= c.hour and i.minute < c.hour + interval '1 hour'
            join usage_batches b on b.id = i.batch_id and b.rolled_up_at is not null
            group by 1, 2, 3, 4, 5, 6),
        hours as (
            select h.hour, h.application_id, h.version_id, h.operation_id, h.status, h.subscription_id, h.units
            from checked_hours c join usage_hours h on h.hour = c.hour)
        select hour, coalesce(sum(i.units), 0)::bigint, coalesce(sum(h.units), 0)::bigint
        from items i full join hours h using (hour, application_id, version_id, operation_id, status, subscription_id)
        group by hour
        having bool_or(i.units is distinct from h.units)
        order by hour
        """))).Select(static row => new UsageDifference(new(row.Hour, TimeSpan.Zero), null, row.Items, row.Hours, "items and hours")).AsList();

    private static async Task<List<UsageDifference>> DifferentBatchesAsync(JobRun run, bool complete, DateTimeOffset since) =>
        (await run.Connection.QueryAsync<(Guid Id, long Batch, long Items)>(run.Sql(
            """
            select b.id, b.units, coalesce(sum(i.units), 0)::bigint
            from usage_batches b left join usage_items i on i.batch_id = b.id
            where coalesce(b.first_minute, '-infinity') >= (select items_from from usage_horizon) and (@complete or b.rolled_up_at >= @since)
            group by b.id, b.units
            having b.units <> coalesce(sum(i.units), 0)
            limit 100
            """, new { complete, since })))
        .Select(static row => new UsageDifference(null, row.Id, row.Batch, row.Items, "batch and its items")).AsList();

    private static Task RepairAsync(JobRun run, DateTimeOffset[] hours) => run.Connection.ExecuteAsync(run.Sql(
        """
        delete from usage_hours where hour = any(@hours);
        insert into usage_hours (hour, application_id, version_id, operation_id, status, subscription_id, organization_id, api_id, units)
        select date_trunc('hour', i.minute, 'UTC'), i.application_id, i.version_id, i.operation_id, i.status, i.subscription_id, coalesce(a.organization_id, g.organization_id), v.api_id, sum(i.units)::bigint
        from unnest(@hours) c (hour) join usage_items i on i.minute >= c.hour and i.minute < c.hour + interval '1 hour'
        join usage_batches b on b.id = i.batch_id and b.rolled_up_at is not null
        left join applications a on a.id = i.application_id left join applications_gone g on g.id = i.application_id left join api_versions v on v.id = i.version_id
        group by 1, 2, 3, 4, 5, 6, 7, 8;
        """, new { hours = hours.Select(static hour => hour.UtcDateTime).ToArray() }));

    private sealed record Last(DateTimeOffset? Complete, DateTimeOffset Any);

    private sealed record Sums(long Hours, long Batches, long Items, long InHours);

    [LoggerMessage(Level = LogLevel.Error, Message = "Usage does not add up: {Count} differences, repaired: {Repaired}; the first is between {What}")]
    private partial void LogDifferences(int count, bool repaired, string what);
}
