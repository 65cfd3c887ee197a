using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;
using OpenPlatform.Catalog.Webhooks;

namespace OpenPlatform.Catalog.Jobs;

/// <summary>Runs one job in one transaction under a token, and keeps what came of it in the row that the check at commit stands on.</summary>
internal sealed partial class JobRunner(NpgsqlDataSource database, IOptions<JobOptions> options, JobMetrics metrics, TimeProvider time, ILogger<JobRunner> logger)
{
    /// <summary>
    /// How long a transaction may wait for its process: one that is frozen in the middle keeps its rows from the next holder no longer
    /// than this, and then is rolled back.
    /// </summary>
    private string LongestSilence { get; } = FormattableString.Invariant($"{2 * options.Value.Lease.TotalMilliseconds:0}ms");

    /// <summary>Runs <paramref name="job"/> once. A failure is logged and kept, never thrown.</summary>
    /// <exception cref="StaleTokenException">The lease is somebody else's; nothing was written.</exception>
    public async Task<JobResult> RunAsync(IJob job, string holder, long token, CancellationToken cancellationToken)
    {
        var started = Now();
        try
        {
            var result = await WriteAsync(job.Name, holder, token, started, succeeded: true, job.RunAsync, cancellationToken);
            metrics.Ran(job.Name, succeeded: true);
            return result;
        }
        catch (Exception exception) when (exception is not StaleTokenException && !cancellationToken.IsCancellationRequested)
        {
            metrics.Ran(job.Name, succeeded: false);
            LogFailed(exception, job.Name);
            var reason = exception.Message.ReplaceLineEndings(" ");
            return await WriteAsync(job.Name, holder, token, started, succeeded: false,
                _ => Task.FromResult(new JobResult(0, Detail: reason[..Math.Min(reason.Length, 500)])), cancellationToken);
        }
    }

    private async Task<JobResult> WriteAsync(
        string name, string holder, long token, DateTimeOffset started, bool succeeded, Func<JobRun, Task<JobResult>> write, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        try
        {
            await connection.ExecuteAsync(new(
                "select set_config('openplatform.job_token', @token::text, true), set_config('idle_in_transaction_session_timeout', @LongestSilence, true)",
                new { token, LongestSilence }, transaction, cancellationToken: cancellationToken));
            var run = new JobRun(connection, transaction, started, cancellationToken);
            var result = await write(run);
            await Outbox.WriteAsync(connection, transaction, started, run.Events, cancellationToken);
            await connection.ExecuteAsync(run.Sql(
                """
                insert into jobs (name, token, holder, started_at, finished_at, succeeded, changes, detail)
                values (@name, @token, @holder, @started, @finished, @succeeded, @Changes, @Detail)
                on conflict (name) do update set token = excluded.token, holder = excluded.holder, started_at = excluded.started_at,
                    finished_at = excluded.finished_at, succeeded = excluded.succeeded, changes = excluded.changes, detail = excluded.detail
                """,
                new { name, token, holder, started, finished = Now(), succeeded, result.Changes, result.Detail }));
            await transaction.CommitAsync(cancellationToken);
            return result;
        }
        catch (PostgresException exception) when (exception.SqlState == Leadership.Refused)
        {
            throw new StaleTokenException(name, token, exception);
        }
    }

    private DateTimeOffset Now()
    {
        var now = time.GetUtcNow();
        return new(now.Ticks - (now.Ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Job {Job} failed")]
    private partial void LogFailed(Exception exception, string job);
}

/// <summary>The lease went to somebody else, and the database refused what this holder wrote.</summary>
internal sealed class StaleTokenException(string job, long token, Exception inner)
    : Exception($"Job {job} wrote with token {token}, which is not valid any more.", inner);
