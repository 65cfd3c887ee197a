using Dapper;
using Npgsql;

namespace OpenPlatform.Catalog.Idempotency;

/// <summary>One run of a request under a key.</summary>
internal sealed record IdempotentRun(string Actor, string Key, byte[] RequestSha256, Guid Run);

/// <summary>What stands under a key that is not free.</summary>
/// <param name="Answer">Sealed; null: another run is at it.</param>
internal sealed record KeptAnswer(byte[] RequestSha256, byte[]? Answer);

internal sealed class IdempotencyStore(NpgsqlDataSource database, TimeProvider time)
{
    /// <summary>How long an answer is kept.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromHours(24);

    // Longer than any request takes: 30 s for its turn, 10 s for each statement.
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(2);

    /// <summary>Null when the key is this run's now, otherwise what stands under it.</summary>
    public async Task<KeptAnswer?> TakeAsync(IdempotentRun run, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        // Who comes clears away a few that nobody will ask for again.
        var now = time.GetUtcNow();
        var parameters = new { run.Actor, run.Key, run.RequestSha256, run.Run, Now = now, Until = now + LongestRun, Old = now - Kept };
        var taken = await connection.ExecuteScalarAsync<bool>(new(
            """
            delete from idempotency where (actor, key) in (select actor, key from idempotency where created_at < @Old order by created_at limit 10 for update skip locked);

            with mine as (
                insert into idempotency (actor, key, request_sha256, run, running_until, created_at) values (@Actor, @Key, @RequestSha256, @Run, @Until, @Now)
                on conflict (actor, key) do update
                    set request_sha256 = excluded.request_sha256, run = excluded.run, running_until = excluded.running_until, created_at = excluded.created_at, answer = null
                    where idempotency.running_until < @Now or idempotency.created_at < @Old
                returning run)
            select exists (select from mine);
            """, parameters, cancellationToken: cancellationToken));
        return taken
            ? null
            : await connection.QuerySingleOrDefaultAsync<KeptAnswer>(new("select request_sha256, answer from idempotency where actor = @Actor and key = @Key", parameters, cancellationToken: cancellationToken))
                // It was given back in between: whoever had it did not do it.
                ?? new(run.RequestSha256, null);
    }

    /// <summary>Keeps the answer in the transaction of its effect.</summary>
    /// <returns>False when the run took so long that another one may be at it: the transaction must not commit.</returns>
    public static async Task<bool> KeepAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IdempotentRun run, byte[] answer) =>
        await connection.ExecuteAsync(
            "update idempotency set running_until = null, answer = @answer where actor = @Actor and key = @Key and run = @Run",
            new { run.Actor, run.Key, run.Run, answer }, transaction) == 1;

    /// <summary>Keeps the answer as it went out, where that is known only afterwards.</summary>
    public async Task KeepAsync(IdempotentRun run, byte[] answer)
    {
        await using var connection = await database.OpenConnectionAsync();
        await connection.ExecuteAsync(
            "update idempotency set running_until = null, answer = @answer where actor = @Actor and key = @Key and run = @Run", new { run.Actor, run.Key, run.Run, answer });
    }

    /// <summary>Gives the key back, unless the effect was committed.</summary>
    public async Task GiveBackAsync(IdempotentRun run)
    {
        await using var connection = await database.OpenConnectionAsync();
        await connection.ExecuteAsync(
            "delete from idempotency where actor = @Actor and key = @Key and run = @Run and answer is null", new { run.Actor, run.Key, run.Run });
    }
}
