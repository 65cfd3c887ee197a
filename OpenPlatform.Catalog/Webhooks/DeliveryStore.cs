using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Catalog.Webhooks;

/// <summary>A delivery that was claimed, with everything that sending it needs.</summary>
internal sealed record ClaimedDelivery(
    Guid EventId, Guid Claim, int Attempts, string Url, byte[] Secret, byte[]? PreviousSecret, string Type, string Subject, string Data, DateTimeOffset CreatedAt);

/// <summary>The queue: deliveries in Postgres, claimed for a while rather than held, so that no connection waits for a receiver.</summary>
internal sealed class DeliveryStore(NpgsqlDataSource database)
{
    /// <summary>Webhooks for which something is due.</summary>
    public async Task<IReadOnlyList<Guid>> DueAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<Guid>(new(
            """
            select w.id from webhooks w
            where w.active and exists (select from webhook_deliveries d where d.webhook_id = w.id and d.state = 'pending' and d.next_attempt_at <= @now)
            """, new { now }, cancellationToken: cancellationToken))).AsList();
    }

    /// <summary>
    /// Claims up to <paramref name="most"/> deliveries, of different subjects: one is due when nothing of its subject before it is pending. A claim
    /// that nobody answers for ends by itself.
    /// </summary>
    public async Task<IReadOnlyList<ClaimedDelivery>> ClaimAsync(Guid webhook, int most, DateTimeOffset now, TimeSpan claimFor, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<ClaimedDelivery>(new(
            """
            with due as materialized (
                select d.event_id from webhook_deliveries d
                where d.webhook_id = @webhook and d.state = 'pending' and d.next_attempt_at <= @now
                  and not exists (select from webhook_deliveries e
                                  where e.webhook_id = d.webhook_id and e.subject = d.subject and e.state = 'pending' and e.position < d.position)
                order by d.position limit @most for update skip locked)
            update webhook_deliveries d set claim = gen_random_uuid(), attempts = d.attempts + 1, last_attempt_at = @now, next_attempt_at = @until
            from due, outbox o, webhooks w
            where d.webhook_id = @webhook and d.event_id = due.event_id and o.id = d.event_id and w.id = d.webhook_id and w.active
            returning d.event_id, d.claim, d.attempts, w.url, w.secret, case when w.previous_secret_until > @now then w.previous_secret end as previous_secret,
                o.type, o.subject, o.data::text as data, o.created_at
            """, new { webhook, most, now, until = now + claimFor }, cancellationToken: cancellationToken))).AsList();
    }

    public Task DeliveredAsync(Guid webhook, ClaimedDelivery delivery, int status, CancellationToken cancellationToken) => ExecuteAsync(
        """
        update webhook_deliveries set state = 'delivered', claim = null, last_status = @status, last_error = null
        where webhook_id = @webhook and event_id = @EventId and claim = @Claim
        """, new { webhook, delivery.EventId, delivery.Claim, status }, cancellationToken);

    /// <summary>Tries again at <paramref name="nextAttemptAt"/>, and what waits behind it in its subject not before; null: gives up.</summary>
    public Task FailedAsync(Guid webhook, ClaimedDelivery delivery, int? status, string error, DateTimeOffset? nextAttemptAt, CancellationToken cancellationToken) => ExecuteAsync(
        """
        with failed as (
            update webhook_deliveries set state = case when @nextAttemptAt::timestamptz is null then 'dead' else 'pending' end, claim = null,
                next_attempt_at = coalesce(@nextAttemptAt, next_attempt_at), last_status = @status, last_error = left(@error, 500)
            where webhook_id = @webhook and event_id = @EventId and claim = @Claim
            returning position)
        update webhook_deliveries d set next_attempt_at = @nextAttemptAt
        from failed f
        where d.webhook_id = @webhook and d.subject = @Subject and d.state = 'pending' and d.position > f.position and d.next_attempt_at < @nextAttemptAt::timestamptz
        """, new { webhook, delivery.EventId, delivery.Claim, delivery.Subject, status, error, nextAttemptAt }, cancellationToken);

    public async Task<IReadOnlyList<Delivery>> ListAsync(Guid webhook, DeliveryState? state, PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new(
            $"""
            select d.event_id, o.type, o.subject, d.state, d.attempts, case when d.state = 'pending' then d.next_attempt_at end as next_attempt_at, d.last_attempt_at, d.last_status, d.last_error
            from webhook_deliveries d join outbox o on o.id = d.event_id
            where d.webhook_id = @webhook and d.event_id > @After {(state is null ? "" : $"and d.state = '{NameOf(state.Value)}'")}
            order by d.event_id limit @Fetch
            """, new { webhook, page.After, page.Fetch }, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToDelivery())];
    }

    /// <summary>Sends once more, from the first try on: one delivery whatever became of it, or all dead ones.</summary>
    /// <param name="delivery">Null: all that are dead.</param>
    public async Task<long> ReplayAsync(Guid webhook, Guid? delivery, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteAsync(new(
            $"""
            update webhook_deliveries set state = 'pending', attempts = 0, next_attempt_at = @now, claim = null
            where webhook_id = @webhook and {(delivery is null ? "state = 'dead'" : "event_id = @delivery and state <> 'pending'")}
            """, new { webhook, delivery, now }, cancellationToken: cancellationToken));
    }

    private static string NameOf(DeliveryState state) => state switch { DeliveryState.Pending => "pending", DeliveryState.Delivered => "delivered", _ => "dead" };

    private async Task ExecuteAsync(string sql, object parameters, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new(sql, parameters, cancellationToken: cancellationToken));
    }

    private sealed record Row(
        Guid EventId, string Type, string Subject, string State, int Attempts, DateTimeOffset? NextAttemptAt, DateTimeOffset? LastAttemptAt, short? LastStatus, string? LastError)
    {
        public Delivery ToDelivery() => new(EventId, Type, Subject, Enum.Parse<DeliveryState>(State, ignoreCase: true), Attempts, NextAttemptAt, LastAttemptAt, LastStatus, LastError);
    }
}
