using Npgsql;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>One write in progress: the transaction that stores use, and how to speak about what it writes.</summary>
/// <param name="Now">Time of the write, whole microseconds as Postgres keeps them.</param>
internal sealed record ConfigChange(NpgsqlConnection Connection, NpgsqlTransaction Transaction, DateTimeOffset Now, CancellationToken CancellationToken)
{
    /// <summary>Turns a pointer into the snapshot into one into the request; null when it is about something else. Set by the writer.</summary>
    public Func<Contracts.Snapshots.Snapshot, string, string?> PointerOf { get; set; } = static (_, _) => null;

    /// <summary>A Dapper command inside this transaction.</summary>
    public Dapper.CommandDefinition Sql(string sql, object? parameters = null) => new(sql, parameters, Transaction, cancellationToken: CancellationToken);
}
