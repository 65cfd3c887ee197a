using Dapper;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Jobs;

namespace OpenPlatform.Catalog.Usage;

/// <summary>
/// Adds new batches to the sums by hour. A batch is marked in the same transaction, so each is added once however often this runs, and
/// it does not matter how late it comes.
/// </summary>
internal sealed class UsageRollUp(IOptions<UsageOptions> options) : IJob
{
    private const int Batches = 200;

    public string Name => "usage-roll-up";

    public TimeSpan Interval => options.Value.RollUpInterval;

    public async Task<JobResult> RunAsync(JobRun run)
    {
        var added = await run.Connection.ExecuteScalarAsync<long>(run.Sql(
            """
            with picked as materialized (
                select id from usage_batches where rolled_up_at is null order by id limit @Batches for update),
            sums as materialized (
                select date_trunc('hour', i.minute, 'UTC') as hour, i.application_id, i.version_id, i.operation_id, i.status, i.subscription_id,
                       sum(i.units)::bigint as units
                from usage_items i where i.batch_id in (select id from picked)
                group by 1, 2, 3, 4, 5, 6),
            touched as (
                insert into usage_touched_hours (hour) select distinct hour from sums on conflict do nothing),
            hours as (
                insert into usage_hours (hour, application_id, version_id, operation_id, status, subscription_id, organization_id, api_id, units)
                select s.hour, s.application_id, s.version_id, s.operation_id, s.status, s.subscription_id, coalesce(a.organization_id, g.organization_id), v.api_id, s.units
                from sums s left join applications a on a.id = s.application_id left join applications_gone g on g.id = s.application_id
                left join api_versions v on v.id = s.version_id
                on conflict (hour, application_id, version_id, operation_id, status, subscription_id)
                do update set units = usage_hours.units + excluded.units),
            marked as (
                update usage_batches set rolled_up_at = @Now where id in (select id from picked) returning 1)
            select count(*) from marked
            """, new { Batches, run.Now }));
        return new(added, HasMore: added == Batches);
    }
}
