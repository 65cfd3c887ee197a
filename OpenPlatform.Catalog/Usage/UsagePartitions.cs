using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;
using OpenPlatform.Catalog.Jobs;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Catalog.Usage;

/// <summary>Makes the partitions of items: ahead of time by a job, and on demand, so that no batch fails for its date.</summary>
internal sealed class UsagePartitions(IOptions<UsageOptions> options) : IJob
{
    public string Name => "usage-partitions";

    public TimeSpan Interval => TimeSpan.FromHours(6);

    public async Task<JobResult> RunAsync(JobRun run)
    {
        var made = 0;
        for (var ahead = 0; ahead <= options.Value.MonthsAhead; ahead++)
        {
            made += await run.Connection.ExecuteScalarAsync<bool>(run.Sql("select make_usage_partition(@moment)", new { moment = run.Now.AddMonths(ahead) })) ? 1 : 0;
        }

        return new(made);
    }

    /// <summary>True when <paramref name="exception"/> says that there is no partition for an item.</summary>
    public static bool IsMissing(PostgresException exception) =>
        exception is { SqlState: PostgresErrorCodes.CheckViolation, TableName: "usage_items", ConstraintName: null };

    /// <summary>Makes every partition that the items of <paramref name="batch"/> need and that is not there.</summary>
    public static async Task MakeAsync(NpgsqlConnection connection, UsageBatch batch, CancellationToken cancellationToken)
    {
        foreach (var month in batch.Items.Select(static item => (item.Minute.UtcDateTime.Year, item.Minute.UtcDateTime.Month)).Distinct())
        {
            // One transaction each: the lock on the parent is held for one partition only.
            await connection.ExecuteAsync(new(
                "select make_usage_partition(@moment)", new { moment = new DateTime(month.Year, month.Month, 1, 0, 0, 0, DateTimeKind.Utc) }, cancellationToken: cancellationToken));
        }
    }
}
