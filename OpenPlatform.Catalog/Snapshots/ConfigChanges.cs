using Npgsql;
using OpenPlatform.Catalog.Audit;
using OpenPlatform.Catalog.Idempotency;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>
/// The one way to write configuration: rows, the shards they touched accepted by the validator of gateways, and the next revision number, in one
/// transaction. After the commit the number is announced.
/// </summary>
internal sealed partial class ConfigChanges(
    NpgsqlDataSource database, ShardWriter shards, ConfigFeed feed, RevisionAnnouncer announcer, CurrentCaller caller, IdempotentRequests idempotent, TimeProvider time, ILogger<ConfigChanges> logger) : IDisposable
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    // Writers of all replicas stand in a row in the database. Those of this one wait here, so that only one of them holds a connection
    // while it waits, and gateways that poll always find one.
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>
    /// Runs <paramref name="write"/>. Its problem, or one that a touched shard has afterwards, undoes everything and is the answer.
    /// A write that changes nothing for gateways (an organization, a pending subscription) makes no revision.
    /// </summary>
    /// <exception cref="NpgsqlException">Postgres cannot be reached. When that happens in the commit, the change may have been made.</exception>
    /// <exception cref="TimeoutException">Too many writers are before this one.</exception>
    public async Task<Outcome<T>> ApplyAsync<T>(Func<ConfigChange, Task<Outcome<T>>> write, CancellationToken cancellationToken)
    {
        if (!await _turn.WaitAsync(LongestWait, cancellationToken))
        {
            throw new TimeoutException($"No turn to write within {LongestWait.TotalSeconds} s.");
        }

        NewRevision? made;
        Outcome<T> outcome;
        try
        {
            (outcome, made) = await WriteAsync(write, cancellationToken);
            if (made is not null)
            {
                await feed.AddAsync(made);
            }
        }
        finally
        {
            _turn.Release();
        }

        if (made is not null)
        {
            LogRevision(made.Signed.Manifest.Revision);
            await announcer.AnnounceAsync(made.Signed.Manifest.Revision);
        }

        return outcome;
    }

    public void Dispose() => _turn.Dispose();

    /// <summary>The outcome, and the new revision if there is one.</summary>
    private async Task<(Outcome<T> Outcome, NewRevision? Revision)> WriteAsync<T>(Func<ConfigChange, Task<Outcome<T>>> write, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);

        // 1. Take the head, and say in the audit who writes.
        var change = new ConfigChange(connection, transaction, Now(), cancellationToken) { Caller = caller.Get() };
        var head = await TakeHeadAsync(connection, transaction, change.Caller, cancellationToken);

        // 2. The rows.
        var outcome = await write(change);
        if (outcome.Problem is not null)
        {
            return (outcome, null);
        }

        // 3. The next revision, when gateways would run something else now.
        var revision = await shards.WriteAsync(change, head);
        if (revision.Problem is { } wrong)
        {
            return (wrong, null);
        }

        if (change.IsDryRun)
        {
            return (outcome, null);
        }

        await Webhooks.Outbox.WriteAsync(connection, transaction, change.Now, change.Events, cancellationToken);

        await idempotent.KeepAsync(connection, transaction, outcome.Value);

        // Not cancelled any more: the caller's leaving would make it unknown whether it happened.
        await transaction.CommitAsync(CancellationToken.None);
        return (outcome, revision.Value);
    }

    /// <summary>
    /// Writers stand in a row here, so each sees the rows of the one before, and numbers have no gaps. Two statements, because the second must see what
    /// the writer before committed while the first waited; in one round trip.
    /// </summary>
    private static async Task<ConfigHead?> TakeHeadAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Caller caller, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                new("select from config_head for update"),
                AuditStore.SetActor(caller),
                new("select h.revision, r.signature from config_head h left join config_revisions r using (revision)"),
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) && !await reader.IsDBNullAsync(0, cancellationToken)
            ? new(reader.GetInt64(0), await reader.IsDBNullAsync(1, cancellationToken) ? null : reader.GetFieldValue<byte[]>(1))
            : null;
    }

    // Postgres keeps microseconds: what is answered now must equal what is read later.
    private DateTimeOffset Now()
    {
        var now = time.GetUtcNow();
        return new(now.Ticks - (now.Ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Revision {Revision} is active")]
    private partial void LogRevision(long revision);
}
