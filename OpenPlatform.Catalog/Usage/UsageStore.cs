using Dapper;
using Npgsql;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Catalog.Usage;

internal sealed class UsageStore(NpgsqlDataSource database, TimeProvider time)
{
    /// <summary>Inserts a batch and its items, once. False: the same (gateway, epoch, sequence) is there already.</summary>
    public async Task<bool> InsertOnceAsync(UsageBatch batch, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var now = time.GetUtcNow();
        var id = Guid.CreateVersion7(now);
        // Of concurrent replays one inserts; the others wait here until it commits (and find it) or fails (and insert it themselves).
        var inserted = await connection.ExecuteAsync(new CommandDefinition(
            """
            insert into usage_batches (id, gateway, epoch, sequence, units, received_at) values (@id, @Gateway, @Epoch, @Sequence, @Units, @now)
            on conflict (gateway, epoch, sequence) do nothing
            """,
            new { id, batch.Gateway, batch.Epoch, batch.Sequence, Units = batch.Items.Sum(static item => item.Units), now }, transaction, cancellationToken: cancellationToken));
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

    /// <summary>Sums of one moment: the total over the whole filter, and up to <paramref name="fetch"/> rows after <paramref name="after"/>.</summary>
    public async Task<(long Total, IReadOnlyList<UsageHour> Hours)> SumAsync(UsageFilter filter, UsageHour? after, int fetch, CancellationToken cancellationToken)
    {
        var items =
            $"""
            from usage_items u
            where (@Application::uuid is null or u.application_id = @Application)
              and (@Api::uuid is null or u.version_id in (select id from api_versions where api_id = @Api))
              and (@From::timestamptz is null or u.minute >= @From)
              and (@To::timestamptz is null or u.minute < @To)
            """;
        var next = after is null ? "" : "where (hour, application_id, version_id, operation_id, status) > (@Hour, @ApplicationId, @VersionId, @OperationId, @Status)";
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellationToken);
        await using var rows = await connection.QueryMultipleAsync(new CommandDefinition(
            $"""
            select coalesce(sum(units), 0)::bigint {items};

            with hours as (
                select date_trunc('hour', u.minute, 'UTC') as hour, u.application_id, u.version_id, u.operation_id, u.status, sum(u.units)::bigint as units
                {items}
                group by 1, 2, 3, 4, 5)
            select h.hour, h.application_id, v.api_id, h.version_id, h.operation_id, h.status, h.units
            from (select * from hours {next} order by hour, application_id, version_id, operation_id, status limit @fetch) h
            left join api_versions v on v.id = h.version_id
            order by h.hour, h.application_id, h.version_id, h.operation_id, h.status;
            """,
            new
            {
                filter.Application, filter.Api, From = filter.From?.UtcDateTime, To = filter.To?.UtcDateTime, fetch,
                Hour = after?.Hour.UtcDateTime, after?.ApplicationId, after?.VersionId, after?.OperationId, Status = (short?)after?.Status,
            }, transaction, cancellationToken: cancellationToken));
        var total = await rows.ReadSingleAsync<long>();
        var hours = (await rows.ReadAsync<Row>()).Select(static row => row.ToHour());
        return (total, [.. hours]);
    }

    private static T[] Column<T>(UsageBatch batch, Func<UsageUnits, T> member) => [.. batch.Items.Select(member)];

    private sealed record Row(DateTimeOffset Hour, Guid ApplicationId, Guid? ApiId, Guid VersionId, string OperationId, short Status, long Units)
    {
        public UsageHour ToHour() => new(Hour, ApplicationId, ApiId, VersionId, OperationId, Status, Units);
    }
}
