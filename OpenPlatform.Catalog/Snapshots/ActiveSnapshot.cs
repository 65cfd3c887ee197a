using Npgsql;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>The bytes that gateways fetch, kept in memory by revision: a poll costs one row.</summary>
internal sealed class ActiveSnapshot(NpgsqlDataSource database)
{
    private volatile Entry? _latest;

    /// <summary>Number and bytes of the revision that is active now.</summary>
    /// <exception cref="NpgsqlException">Postgres cannot be reached; a gateway keeps what it has.</exception>
    public async Task<Entry> ReadAsync(CancellationToken cancellationToken)
    {
        var latest = _latest;
        await using var command = database.CreateCommand(
            """
            select h.revision, case when h.revision is distinct from $1 then r.snapshot end
            from config_head h join config_revisions r using (revision)
            """);
        command.Parameters.Add(new() { Value = latest?.Revision ?? 0 });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken))
        {
            throw new InvalidOperationException("There is no revision, although start-up publishes one.");
        }

        if (!await reader.IsDBNullAsync(1, cancellationToken))
        {
            _latest = latest = new(reader.GetInt64(0), reader.GetFieldValue<byte[]>(1));
        }

        return latest!;
    }

    public sealed record Entry(long Revision, byte[] Json);
}

/// <summary>Publishes revision 1 of an empty catalog, so that a gateway without any API is ready and answers 404, not "no snapshot yet".</summary>
internal sealed class FirstRevision(ConfigChanges changes) : Storage.IStartupWork
{
    public async Task RunAsync(CancellationToken cancellationToken) =>
        await changes.ApplyAsync(static _ => Task.FromResult<Problems.Outcome<bool>>(true), cancellationToken);
}
