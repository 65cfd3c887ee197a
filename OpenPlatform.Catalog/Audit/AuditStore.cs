using System.Diagnostics;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Audit;

/// <summary>Reads the audit. It is written by triggers only; all that a writer does is to say who it is.</summary>
internal sealed class AuditStore(NpgsqlDataSource database)
{
    private const string Columns = "sequence, at, actor, trace_id, action, kind, id, changed, before_sha256, after_sha256, previous_sha256, sha256";

    /// <summary>Tells the triggers of this transaction who writes. Belongs to the beginning of every transaction that changes an audited table.</summary>
    public static NpgsqlBatchCommand SetActor(Caller caller) => new("select set_config('openplatform.actor', $1, true), set_config('openplatform.trace_id', $2, true)")
    {
        Parameters = { new NpgsqlParameter<string> { TypedValue = caller.Actor }, new NpgsqlParameter<string> { TypedValue = Activity.Current?.TraceId.ToHexString() ?? "" } },
    };

    /// <inheritdoc cref="SetActor"/>
    public static async Task SetActorAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Caller caller, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection, transaction) { BatchCommands = { SetActor(caller) } };
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Up to <paramref name="fetch"/> entries, newest first.</summary>
    /// <param name="before">Only those with a smaller sequence.</param>
    public async Task<IReadOnlyList<AuditEntry>> ListAsync(AuditFilter filter, long before, int fetch, CancellationToken cancellationToken)
    {
        // Only what is asked for stands in the statement, so that each question has its own plan by an index.
        var conditions = new List<string> { "sequence < @before" };
        Add(filter.Kind, "kind = @Kind");
        Add(filter.Id, "id = @Id");
        Add(filter.Actor, "actor = @Actor");
        // Times never go back along the chain, so a span of time is a span of it, and any of the indexes finds its ends.
        Add(filter.From, $"sequence >= coalesce({FirstAt("@From")}, {long.MaxValue})");
        Add(filter.To, $"sequence < coalesce({FirstAt("@To")}, {long.MaxValue})");
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<AuditRow>(new(
            $"select {Columns} from audit where {string.Join(" and ", conditions)} order by sequence desc limit @fetch",
            new { filter.Kind, filter.Id, filter.Actor, From = filter.From?.UtcDateTime, To = filter.To?.UtcDateTime, before, fetch }, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToEntry())];

        static string FirstAt(string time) => $"(select sequence from audit where at >= {time} order by at, sequence limit 1)";

        void Add(object? value, string condition)
        {
            if (value is not null)
            {
                conditions.Add(condition);
            }
        }
    }

    /// <summary>Follows the whole chain, row by row.</summary>
    public async Task<AuditVerdict> VerifyAsync(AuditAnchor? anchor, CancellationToken cancellationToken)
    {
        var chain = new AuditChain(anchor);
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await foreach (var row in connection.QueryUnbufferedAsync<AuditRow>($"select {Columns} from audit order by sequence").WithCancellation(cancellationToken))
        {
            if (!chain.TryAdd(row))
            {
                break;
            }
        }

        return chain.Verdict();
    }
}
