using System.Text.Json;
using Npgsql;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>The whole snapshot in one piece, for gateways that do not follow the stream of shards; kept in memory by revision: a poll costs one row.</summary>
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
            select r.revision, r.created_at, case when r.revision is distinct from $1 then
                array(select s.content from config_entries e join config_shards s using (sha256) where e.to_revision is null order by e.shard <> 'core') end
            from config_revisions r where r.signature is not null order by r.revision desc limit 1
            """);
        command.Parameters.Add(new() { Value = latest?.Revision ?? 0 });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken))
        {
            throw new InvalidOperationException("There is no revision, although start-up publishes one.");
        }

        if (!await reader.IsDBNullAsync(2, cancellationToken))
        {
            var shards = reader.GetFieldValue<byte[][]>(2).Select(static json => JsonSerializer.Deserialize(json, SnapshotJson.Default.Snapshot)!).ToArray();
            var snapshot = SnapshotShards.Join(reader.GetInt64(0), new(reader.GetDateTime(1), TimeSpan.Zero), shards);
            _latest = latest = new(snapshot.Revision, JsonSerializer.SerializeToUtf8Bytes(snapshot, SnapshotJson.Default.Snapshot));
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
