using System.Collections.Concurrent;
using Dapper;
using Npgsql;
using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>The active revision as this replica knows it, and whoever waits for the next one.</summary>
internal sealed class ConfigFeed(NpgsqlDataSource database) : IDisposable
{
    /// <summary>Content that several gateways are about to ask for; beyond this many bytes the oldest goes.</summary>
    private const long MostRecentBytes = 32 << 20;

    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly ConcurrentDictionary<string, byte[]> _recent = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _order = new();
    private long _recentBytes;
    private volatile SignedManifest? _current;
    private volatile TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Dispose() => _reading.Dispose();

    /// <summary>The active revision, which differs from <paramref name="seen"/>; waits for it.</summary>
    public async Task<SignedManifest> NextAsync(SignedManifest? seen, CancellationToken cancellationToken)
    {
        while (true)
        {
            var moved = _moved.Task;
            if (_current is { } current && !ReferenceEquals(current, seen))
            {
                return current;
            }

            await moved.WaitAsync(cancellationToken);
        }
    }

    /// <summary>The number of the active revision, as far as this replica knows; 0: it knows none.</summary>
    public long Revision => _current?.Manifest.Revision ?? 0;

    /// <summary>What <paramref name="head"/> consists of, or null when it is not the revision that this replica knows.</summary>
    public ConfigManifest? Find(ConfigHead head) =>
        _current is { } current && current.Manifest.Revision == head.Revision && current.Signature.AsSpan().SequenceEqual(head.Signature) ? current.Manifest : null;

    /// <summary>This replica has committed a revision: what it consists of need not be read again.</summary>
    public async Task AddAsync(NewRevision revision)
    {
        await _reading.WaitAsync(); // a look that is under way must not go back behind this one
        try
        {
            if (revision.Signed.Manifest.Revision > Revision)
            {
                foreach (var (hash, content) in revision.Contents)
                {
                    Remember(hash, content);
                }

                Put(revision.Signed);
            }
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>Looks what is active now, and wakes those that wait when it is another revision. Reads only what changed since the last look.</summary>
    /// <exception cref="NpgsqlException">Postgres cannot be reached.</exception>
    public async Task<SignedManifest?> RefreshAsync(CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken);
        try
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var known = _current;
            var head = await connection.QueryFirstOrDefaultAsync<Head>(new CommandDefinition(
                "select revision, created_at, signature from config_revisions where signature is not null order by revision desc limit 1", cancellationToken: cancellationToken));
            if (head is null || (head.Revision == known?.Manifest.Revision && head.Signature.AsSpan().SequenceEqual(known.Signature)))
            {
                return known;
            }

            // What is too old for a difference, or from another history (a restored backup), is read whole.
            var since = known is not null && known.Manifest.Revision < head.Revision && known.Manifest.Revision > head.Revision - ShardWriter.KeptRevisions ? known.Manifest.Revision : 0;
            var entries = await connection.QueryAsync<(string Shard, byte[]? Sha256)>(new CommandDefinition(
                """
                select shard, case when to_revision is null or to_revision > @Revision then sha256 end
                from config_entries
                where from_revision <= @Revision and (from_revision > @since or (to_revision > @since and to_revision <= @Revision))
                order by from_revision
                """, new { head.Revision, since }, cancellationToken: cancellationToken));
            var changes = new Dictionary<string, string?>(StringComparer.Ordinal);
            foreach (var (shard, sha256) in entries)
            {
                changes[shard] = sha256 is null ? null : Convert.ToHexStringLower(sha256);
            }

            var shards = (since == 0 ? ShardHashes.Empty : known!.Manifest.Shards).With(changes);
            Put(new(new(head.Revision, head.CreatedAt, shards), head.Signature));
            return _current;
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>Contents by hash. One that no kept revision has any more is missing: there is a newer revision then.</summary>
    public async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(IReadOnlyCollection<string> hashes, CancellationToken cancellationToken)
    {
        var contents = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var missing = new List<byte[]>();
        foreach (var hash in hashes)
        {
            if (_recent.TryGetValue(hash, out var content))
            {
                contents[hash] = content;
            }
            else
            {
                missing.Add(Convert.FromHexString(hash));
            }
        }

        if (missing.Count > 0)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            foreach (var (sha256, content) in await connection.QueryAsync<(byte[] Sha256, byte[] Content)>(new CommandDefinition(
                "select sha256, content from config_shards where sha256 = any(@missing)", new { missing = missing.ToArray() }, cancellationToken: cancellationToken)))
            {
                var hash = Convert.ToHexStringLower(sha256);
                contents[hash] = content;
                Remember(hash, content);
            }
        }

        return contents;
    }

    private void Put(SignedManifest next)
    {
        _current = next;
        Interlocked.Exchange(ref _moved, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    private void Remember(string hash, byte[] content)
    {
        if (!_recent.TryAdd(hash, content))
        {
            return;
        }

        _order.Enqueue(hash);
        var bytes = Interlocked.Add(ref _recentBytes, content.Length);
        while (bytes > MostRecentBytes && _order.TryDequeue(out var oldest) && _recent.TryRemove(oldest, out var gone))
        {
            bytes = Interlocked.Add(ref _recentBytes, -gone.Length);
        }
    }

    private sealed record Head(long Revision, DateTimeOffset CreatedAt, byte[] Signature);
}

/// <summary>A manifest with its signature.</summary>
internal sealed record SignedManifest(ConfigManifest Manifest, byte[] Signature);
