using Npgsql;
using OpenPlatform.Catalog.Idempotency;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Audit;

/// <summary>
/// Writes what gateways do not run (tokens, accounts, webhooks): one transaction with the actor for the audit, the events, and the answer
/// of a repeated POST. Configuration goes through <see cref="ConfigChanges"/>, which does the same and makes the next revision.
/// </summary>
internal sealed class AuditedWrites(NpgsqlDataSource database, CurrentCaller caller, IdempotentRequests idempotent, TimeProvider time)
{
    /// <summary>Runs <paramref name="write"/>; its problem undoes everything and is the answer.</summary>
    public async Task<Outcome<T>> ApplyAsync<T>(Func<ConfigChange, Task<Outcome<T>>> write, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var now = time.GetUtcNow();
        // Postgres keeps microseconds: what is answered now must equal what is read later.
        var change = new ConfigChange(connection, transaction, new(now.Ticks - (now.Ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero), cancellationToken) { Caller = caller.Get() };
        await AuditStore.SetActorAsync(connection, transaction, change.Caller, cancellationToken);
        var outcome = await write(change);
        if (outcome.Problem is not null)
        {
            return outcome;
        }

        await Webhooks.Outbox.WriteAsync(connection, transaction, change.Now, change.Events, cancellationToken);
        await idempotent.KeepAsync(connection, transaction, outcome.Value);
        await transaction.CommitAsync(CancellationToken.None);
        return outcome;
    }
}
