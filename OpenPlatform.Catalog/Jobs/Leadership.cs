using Dapper;
using Npgsql;

namespace OpenPlatform.Catalog.Jobs;

/// <summary>
/// The lease of leader-only work: one row, by the clock of the database. Each holder gets a higher token than any before, and the database
/// refuses writes of jobs that carry another.
/// </summary>
internal sealed class Leadership(NpgsqlDataSource database)
{
    /// <summary>What Postgres says to a job whose token is not valid any more.</summary>
    public const string Refused = "OP001";

    /// <summary>The new token, or null while somebody else holds the lease.</summary>
    public async Task<long?> TryTakeAsync(string holder, TimeSpan lease, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<long?>(new(
            "update job_leader set token = token + 1, holder = @holder, expires_at = now() + @lease where expires_at < now() returning token",
            new { holder, lease }, cancellationToken: cancellationToken));
    }

    /// <summary>False: somebody else took the lease.</summary>
    public async Task<bool> RenewAsync(long token, TimeSpan lease, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteAsync(new(
            "update job_leader set expires_at = now() + @lease where token = @token", new { token, lease }, cancellationToken: cancellationToken)) == 1;
    }

    /// <summary>Takes away what was asked for; nothing when somebody else took the lease, for whom it then stays.</summary>
    public async Task<IReadOnlySet<string>> TakeRequestsAsync(long token, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<string>(new(
            "delete from job_requests where (select token from job_leader) = @token returning name", new { token }, cancellationToken: cancellationToken))).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Ends the lease at once, so that the next one need not wait.</summary>
    public async Task ReleaseAsync(long token, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new("update job_leader set expires_at = '-infinity' where token = @token", new { token }, cancellationToken: cancellationToken));
    }
}
