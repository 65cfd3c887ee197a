using Dapper;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Jobs;

namespace OpenPlatform.Catalog.Webhooks;

/// <summary>Deletes old events with their deliveries, unless one of these is still pending.</summary>
internal sealed class OutboxRetention(IOptions<WebhookOptions> options) : IJob
{
    private const int Page = 5000;

    public string Name => "outbox-retention";

    public TimeSpan Interval => TimeSpan.FromMinutes(10);

    public async Task<JobResult> RunAsync(JobRun run)
    {
        var deleted = await run.Connection.ExecuteAsync(run.Sql(
            """
            delete from outbox where id in (
                select o.id from outbox o
                where o.created_at < @before and not exists (select from webhook_deliveries d where d.event_id = o.id and d.state = 'pending')
                order by o.created_at limit @Page)
            """, new { before = run.Now - options.Value.Retention, Page }));
        return new(deleted, HasMore: deleted == Page);
    }
}
