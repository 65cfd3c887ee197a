using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Webhooks;

namespace OpenPlatform.Catalog.Jobs;

/// <summary>Work that one catalog does for all, again and again. Registered as a singleton of this type; must bear to be run twice.</summary>
internal interface IJob
{
    /// <summary>Stable: <c>usage-roll-up</c>. At most 64 lower-case letters and hyphens.</summary>
    string Name { get; }

    /// <summary>Time from the end of a run to the start of the next.</summary>
    TimeSpan Interval { get; }

    /// <summary>One run, in one transaction that is committed only while its token is valid.</summary>
    Task<JobResult> RunAsync(JobRun run);
}

/// <summary>What a run did.</summary>
/// <param name="Changes">How many things it changed.</param>
/// <param name="HasMore">True: there is more of the same, and it runs again at once.</param>
/// <param name="Detail">Something that an operator should read; at most a line.</param>
internal readonly record struct JobResult(long Changes, bool HasMore = false, string? Detail = null);

/// <summary>One run in progress: the transaction that a job writes in.</summary>
/// <param name="Now">Time of the run, whole microseconds.</param>
/// <param name="CancellationToken">Cancelled when the lease is lost.</param>
internal sealed record JobRun(NpgsqlConnection Connection, NpgsqlTransaction Transaction, DateTimeOffset Now, CancellationToken CancellationToken)
{
    private readonly List<OutboxEvent> _events = [];

    /// <summary>What is told to others when this is committed, in order.</summary>
    public IReadOnlyList<OutboxEvent> Events => _events;

    /// <summary>A Dapper command inside this transaction. Jobs may take longer than requests.</summary>
    public CommandDefinition Sql(string sql, object? parameters = null) => new(sql, parameters, Transaction, commandTimeout: 600, cancellationToken: CancellationToken);

    /// <summary>Tells others that something happened, if this is committed.</summary>
    /// <inheritdoc cref="OutboxEvent.Of"/>
    public void Emit(string type, string subject, object data, Guid? organization = null) =>
        _events.Add(OutboxEvent.Of(type, subject, organization, data));
}
