using Npgsql;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Webhooks;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>One write in progress: the transaction that stores use, and how to speak about what it writes.</summary>
/// <param name="Now">Time of the write, whole microseconds as Postgres keeps them.</param>
internal sealed record ConfigChange(NpgsqlConnection Connection, NpgsqlTransaction Transaction, DateTimeOffset Now, CancellationToken CancellationToken)
{
    private readonly List<OutboxEvent> _events = [];

    /// <summary>What is told to others when this is committed, in order.</summary>
    public IReadOnlyList<OutboxEvent> Events => _events;

    /// <summary>Who writes; the audit says so of every row.</summary>
    public required Caller Caller { get; init; }

    /// <summary>Short for the <see cref="Security.Caller.Actor"/> of <see cref="Caller"/>.</summary>
    public string Actor => Caller.Actor;

    /// <summary>Set by the writer: check everything, then undo it. The outcome is the answer, and there is no revision.</summary>
    public bool IsDryRun { get; set; }

    /// <summary>Turns a pointer into the snapshot into one into the request; null when it is about something else. Set by the writer.</summary>
    public Func<Contracts.Snapshots.Snapshot, string, string?> PointerOf { get; set; } = static (_, _) => null;

    /// <summary>A Dapper command inside this transaction.</summary>
    public Dapper.CommandDefinition Sql(string sql, object? parameters = null) => new(sql, parameters, Transaction, cancellationToken: CancellationToken);

    /// <summary>Tells others that something happened, if this is committed.</summary>
    /// <inheritdoc cref="OutboxEvent.Of"/>
    public void Emit(string type, string subject, object data, Guid? organization = null) =>
        _events.Add(OutboxEvent.Of(type, subject, organization, data));
}
