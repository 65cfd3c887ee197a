using System.Security.Cryptography;
using System.Text.Json;
using Dapper;
using Npgsql;
using NpgsqlTypes;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>
/// The one way to write configuration: rows, the whole new snapshot accepted by <see cref="SnapshotValidator"/>, and the next
/// revision number, in one transaction. After the commit the number is announced.
/// </summary>
internal sealed partial class ConfigChanges(
    NpgsqlDataSource database, RevisionAnnouncer announcer, CurrentCaller caller, TimeProvider time, ILogger<ConfigChanges> logger) : IDisposable
{
    /// <summary>Snapshots that stay readable beside the active one.</summary>
    private const int KeptSnapshots = 100;

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    // Writers of all replicas stand in a row in the database. Those of this one wait here, so that only one of them holds a connection
    // while it waits, and gateways that poll always find one.
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>
    /// Runs <paramref name="write"/>. Its problem, or one that the snapshot has afterwards, undoes everything and is the answer.
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

        long? announced;
        Outcome<T> outcome;
        try
        {
            (outcome, announced) = await WriteAsync(write, cancellationToken);
        }
        finally
        {
            _turn.Release();
        }

        if (announced is { } revision)
        {
            LogRevision(revision);
            await announcer.AnnounceAsync(revision);
        }

        return outcome;
    }

    public void Dispose() => _turn.Dispose();

    /// <summary>The outcome, and the number of the new revision if there is one.</summary>
    private async Task<(Outcome<T> Outcome, long? Revision)> WriteAsync<T>(Func<ConfigChange, Task<Outcome<T>>> write, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);

        // 1. Take the head: writers stand in a row here, so each sees the rows of the one before, and numbers have no gaps.
        // Two statements, because the second must see what the writer before committed while the first waited.
        await connection.ExecuteAsync(new CommandDefinition("select from config_head for update", transaction: transaction, cancellationToken: cancellationToken));
        var head = await connection.QuerySingleAsync<Head>(new CommandDefinition(
            "select h.revision, r.content_sha256 from config_head h left join config_revisions r using (revision)",
            transaction: transaction, cancellationToken: cancellationToken));

        // 2. The rows.
        var change = new ConfigChange(connection, transaction, Now(), cancellationToken) { Caller = caller.Get() };
        var outcome = await write(change);
        if (outcome.Problem is not null)
        {
            return (outcome, null);
        }

        // 3. What gateways would run now.
        var content = await SnapshotReader.ReadAsync(change);
        if (SnapshotValidator.Validate(content) is { Count: > 0 } problems)
        {
            return (CatalogProblem.Invalid([.. problems.Select(problem => InTermsOfRequest(change, content, problem))]), null);
        }

        if (change.IsDryRun)
        {
            return (outcome, null);
        }

        // 4. The revision, when that differs from what they run.
        var hash = SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(content, SnapshotJson.Default.Snapshot));
        var revision = (head.Revision ?? 0) + 1;
        var isNew = head.ContentSha256 is null || !hash.AsSpan().SequenceEqual(head.ContentSha256);
        if (isNew)
        {
            await InsertAsync(change, content with { Revision = revision, CreatedAt = change.Now }, hash);
        }

        await Webhooks.Outbox.WriteAsync(connection, transaction, change.Now, change.Events, cancellationToken);

        // Not cancelled any more: the caller's leaving would make it unknown whether it happened.
        await transaction.CommitAsync(CancellationToken.None);
        return (outcome, isNew ? revision : null);
    }

    private static async Task InsertAsync(ConfigChange change, Snapshot snapshot, byte[] hash)
    {
        await using var insert = new NpgsqlCommand(
            "insert into config_revisions (revision, created_at, content_sha256, snapshot) values ($1, $2, $3, $4)", change.Connection, change.Transaction)
        {
            Parameters =
            {
                new() { Value = snapshot.Revision },
                new() { Value = snapshot.CreatedAt.UtcDateTime },
                new() { Value = hash },
                new() { Value = JsonSerializer.SerializeToUtf8Bytes(snapshot, SnapshotJson.Default.Snapshot), NpgsqlDbType = NpgsqlDbType.Json },
            },
        };
        await insert.ExecuteNonQueryAsync(change.CancellationToken);
        await change.Connection.ExecuteAsync(change.Sql(
            """
            update config_head set revision = @Revision;
            update config_revisions set snapshot = null where revision = @Old;
            """, new { snapshot.Revision, Old = snapshot.Revision - KeptSnapshots }));
    }

    private static ProblemError InTermsOfRequest(ConfigChange change, Snapshot content, SnapshotProblem problem) =>
        change.PointerOf(content, problem.Pointer) is { } pointer
            ? new(pointer, problem.Message)
            : new("", $"the configuration would be wrong at {problem.Pointer}: {problem.Message}");

    // Postgres keeps microseconds: what is answered now must equal what is read later.
    private DateTimeOffset Now()
    {
        var now = time.GetUtcNow();
        return new(now.Ticks - (now.Ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
    }

    private sealed record Head(long? Revision, byte[]? ContentSha256);

    [LoggerMessage(Level = LogLevel.Information, Message = "Revision {Revision} is active")]
    private partial void LogRevision(long revision);
}
