using System.Text.Json;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Storage;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Catalog.Usage;

internal sealed class UsageStore(NpgsqlDataSource database, ReadDatabase reads, TimeProvider time)
{
    /// <summary>Inserts a batch and its items, once. False: the same (gateway, epoch, sequence) is there already.</summary>
    public async Task<bool> InsertOnceAsync(UsageBatch batch, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        while (true)
        {
            try
            {
                return await InsertOnceAsync(connection, batch, cancellationToken);
            }
            catch (PostgresException exception) when (UsagePartitions.IsMissing(exception))
            {
                // Of a month that nobody made ahead: very late, or of a clock that is far off. Retention may take it away again meanwhile.
                await UsagePartitions.MakeAsync(connection, batch, cancellationToken);
            }
        }
    }

    private async Task<bool> InsertOnceAsync(NpgsqlConnection connection, UsageBatch batch, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var now = time.GetUtcNow();
        var id = Guid.CreateVersion7(now);
        // Of concurrent replays one inserts; the others wait here until it commits (and find it) or fails (and insert it themselves).
        var inserted = await connection.ExecuteAsync(new CommandDefinition(
            """
            insert into usage_batches (id, gateway, epoch, sequence, units, received_at, first_minute) values (@id, @Gateway, @Epoch, @Sequence, @Units, @now, @first)
            on conflict (gateway, epoch, sequence) do nothing
            """,
            new
            {
                id, batch.Gateway, batch.Epoch, batch.Sequence, Units = batch.Items.Sum(static item => item.Units), now,
                first = batch.Items.Count == 0 ? now : batch.Items.Min(static item => item.Minute),
            }, transaction, cancellationToken: cancellationToken));
        if (inserted == 0)
        {
            return false;
        }

        await connection.ExecuteAsync(new CommandDefinition(
            """
            insert into usage_items (batch_id, minute, subscription_id, application_id, version_id, operation_id, status, units)
            select @id, * from unnest(@Minutes, @Subscriptions, @Applications, @Versions, @Operations, @Statuses, @Units)
            """,
            new
            {
                id,
                Minutes = Column(batch, static item => item.Minute.UtcDateTime),
                Subscriptions = Column(batch, static item => item.SubscriptionId),
                Applications = Column(batch, static item => item.ApplicationId),
                Versions = Column(batch, static item => item.VersionId),
                Operations = Column(batch, static item => item.OperationId),
                Statuses = Column(batch, static item => (short)item.Status),
                Units = Column(batch, static item => item.Units),
            }, transaction, cancellationToken: cancellationToken));
        await transaction.CommitAsync(CancellationToken.None);
        return true;
    }

    /// <summary>Sums of one moment: the total over everything, and up to <paramref name="fetch"/> rows after <paramref name="after"/>.</summary>
    public Task<(long Total, IReadOnlyList<object[]> Rows)> SumAsync(UsageQuery query, object[]? after, int fetch, CancellationToken cancellationToken) =>
        reads.ReadAsync<(long, IReadOnlyList<object[]>)>(async source =>
        {
            await using var connection = await source.OpenConnectionAsync(cancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellationToken);
            await using var total = query.Total(connection);
            await using var page = query.Rows(connection, after, fetch);
            var units = (long)(await total.ExecuteScalarAsync(cancellationToken))!;
            var rows = new List<object[]>();
            await using var reader = await page.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                var row = new object[reader.FieldCount];
                reader.GetValues(row);
                rows.Add(row);
            }

            return (units, rows);
        });

    /// <summary>All rows, not read yet.</summary>
    public Task<UsageCsv> OpenCsvAsync(UsageQuery query, CancellationToken cancellationToken) =>
        reads.ReadAsync(source => UsageCsv.OpenAsync(query, source, cancellationToken));

    /// <summary>Answers in each of <paramref name="windows"/>, each as many as its operation costs now, from the primary: a quota is not measured by yesterday's
    /// news.</summary>
    public async Task<IReadOnlyList<long>> UsedAsync(IReadOnlyList<QuotaWindow> windows, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<long>(new(
            """
            with pending as materialized (
                select i.application_id, i.subscription_id, i.version_id, i.operation_id, i.minute, i.units
                from usage_batches b join usage_items i on i.batch_id = b.id where b.rolled_up_at is null),
            costs as (
                select o.version_id, o.operation_id, (o.policies->>'cost')::int as cost
                from api_versions v join api_operations o on o.version_id = v.id and o.revision = v.current_revision)
            select coalesce((
                select sum(h.units * coalesce(c.cost, 1)) from usage_hours h left join costs c on c.version_id = h.version_id and c.operation_id = h.operation_id
                where h.application_id = w.application_id and h.hour >= w.start and (w.subscription_id is null or h.subscription_id = w.subscription_id)
                  and (w.plan_id is null or h.subscription_id in (select id from subscriptions s where s.application_id = w.application_id and s.plan_id = w.plan_id))), 0)::bigint
              + coalesce((
                select sum(p.units * coalesce(c.cost, 1)) from pending p left join costs c on c.version_id = p.version_id and c.operation_id = p.operation_id
                where p.application_id = w.application_id and p.minute >= w.start and (w.subscription_id is null or p.subscription_id = w.subscription_id)
                  and (w.plan_id is null or p.subscription_id in (select id from subscriptions s where s.application_id = w.application_id and s.plan_id = w.plan_id))), 0)::bigint
            from unnest(@applications, @plans, @subscriptions, @starts) with ordinality w (application_id, plan_id, subscription_id, start, n)
            order by w.n
            """,
            new
            {
                applications = windows.Select(static window => window.ApplicationId).ToArray(),
                plans = windows.Select(static window => window.PlanId).ToArray(),
                subscriptions = windows.Select(static window => window.SubscriptionId).ToArray(),
                starts = windows.Select(static window => window.From.UtcDateTime).ToArray(),
            }, cancellationToken: cancellationToken))).AsList();
    }

    public async Task<UsageReconciliations> ReconciliationsAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = (await connection.QueryAsync<ReconciliationRow>(new(
            """
            select finished_at, complete, hours, units_batches, units_items, units_hours, differences::text, repaired
            from (select distinct on (complete) * from usage_reconciliations order by complete, finished_at desc) last
            """, cancellationToken: cancellationToken))).AsList();
        return new(rows.Find(static row => row.Complete)?.ToReconciliation(), rows.Find(static row => !row.Complete)?.ToReconciliation());
    }

    private static T[] Column<T>(UsageBatch batch, Func<UsageUnits, T> member) => [.. batch.Items.Select(member)];

    private sealed record ReconciliationRow(
        DateTimeOffset FinishedAt, bool Complete, long Hours, long? UnitsBatches, long UnitsItems, long UnitsHours, string Differences, bool Repaired)
    {
        public UsageReconciliation ToReconciliation() => new(FinishedAt, Hours, UnitsBatches, UnitsItems, UnitsHours,
            JsonSerializer.Deserialize<UsageDifference[]>(Differences, JsonSerializerOptions.Web)!, Repaired);
    }
}
