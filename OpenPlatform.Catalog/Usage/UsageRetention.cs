using Dapper;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Jobs;

namespace OpenPlatform.Catalog.Usage;

/// <summary>Drops months of items that are older than they need to be. Their hours and batches stay.</summary>
internal sealed class UsageRetention(IOptions<UsageOptions> options) : IJob
{
    public string Name => "usage-retention";

    public TimeSpan Interval => TimeSpan.FromHours(1);

    public async Task<JobResult> RunAsync(JobRun run)
    {
        var oldest = run.Now - options.Value.ItemsRetention;
        var cutoff = new DateTimeOffset(oldest.Year, oldest.Month, 1, 0, 0, 0, TimeSpan.Zero);
        var old = (await run.Connection.QueryAsync<(string Name, DateTime Ends)>(run.Sql(
            "select name, ends from usage_partitions where ends <= @cutoff and name <> 'usage_items_early' order by ends limit 12", new { cutoff }))).AsList();
        var dropped = 0;
        foreach (var (name, ends) in old)
        {
            // Nothing that is not in the hours yet may go; and traffic does not wait for this: it is tried again later.
            await run.Connection.ExecuteAsync(run.Sql("set local lock_timeout = '2s'"));
            if (await run.Connection.ExecuteScalarAsync<bool>(run.Sql(
                $"select exists (select from {name} i join usage_batches b on b.id = i.batch_id where b.rolled_up_at is null)")))
            {
                continue;
            }

            await run.Connection.ExecuteAsync(run.Sql(
                $"""
                drop table {name};
                delete from usage_partitions where name = @name;
                update usage_horizon set items_from = greatest(items_from, @ends);
                """, new { name, ends }));
            dropped++;
        }

        // What there was before partitions, and what came very late, lies in one table that stays.
        var early = await run.Connection.ExecuteAsync(run.Sql(
            """
            delete from usage_items_early i using usage_batches b
            where b.id = i.batch_id and b.rolled_up_at is not null and i.minute < least(@cutoff, (select ends from usage_partitions where name = 'usage_items_early'))
            """, new { cutoff }));
        if (early > 0)
        {
            await run.Connection.ExecuteAsync(run.Sql("update usage_horizon set items_from = greatest(items_from, @cutoff)", new { cutoff }));
        }

        return new(dropped, Detail: dropped == 0 ? null : $"dropped {string.Join(", ", old.Select(static month => month.Name))}");
    }
}
