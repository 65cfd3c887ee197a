using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>Makes the next revision from the shards that were touched: reads them, checks them, stores what differs, signs the manifest.</summary>
internal sealed class ShardWriter(ManifestSigner signer, ConfigFeed feed)
{
    /// <summary>Noted beside shards: a backend or an application was deleted.</summary>
    private const string Gone = "gone";

    /// <summary>Revisions whose content stays readable, the active one among them.</summary>
    public const int KeptRevisions = 100;

    /// <summary>The new revision, or null when gateways run the same as before; or what is wrong with the new content.</summary>
    /// <param name="head">The active revision, whose row is locked; null: there is none yet, and there will be one.</param>
    public async Task<Outcome<NewRevision?>> WriteAsync(ConfigChange change, ConfigHead? head)
    {
        var dirty = await change.Connection.QueryAsync<string>(change.Sql(
            "with core as (delete from config_dirty returning shard), parts as (delete from config_dirty_parts returning shard) select shard from core union select shard from parts"));
        var names = dirty.ToHashSet(StringComparer.Ordinal);
        var isGone = names.Remove(Gone);
        if (head is null)
        {
            names.Add(ShardName.Core);
        }

        if (names.Count == 0)
        {
            return (NewRevision?)null;
        }

        var content = SnapshotShards.Split(await SnapshotReader.ReadAsync(change, ShardSelection.Of(names)));
        var shards = names.Where(content.ContainsKey).Select(name => Shard.Of(name, content[name])).ToList();
        if (await FindProblemAsync(change, shards) is { } problem)
        {
            return problem;
        }

        // Usually this replica knows the revision before, which cannot change any more.
        var entries = head is not null && feed.Find(head) is { } known
            ? known.Shards
            : ShardHashes.Of((await change.Connection.QueryAsync<(string Shard, byte[] Sha256)>(change.Sql("select shard, sha256 from config_entries where to_revision is null")))
                .ToDictionary(static entry => entry.Shard, static entry => Convert.ToHexStringLower(entry.Sha256), StringComparer.Ordinal));
        var changed = shards.Where(shard => entries.GetValueOrDefault(shard.Name) != shard.Hash).ToList();
        var removed = names.Where(name => !content.ContainsKey(name) && entries.ContainsKey(name)).ToArray();
        if (changed.Count + removed.Length == 0 && head is not null)
        {
            return (NewRevision?)null;
        }

        var changes = changed.ToDictionary(static shard => shard.Name, static string? (shard) => shard.Hash, StringComparer.Ordinal);
        foreach (var name in removed)
        {
            changes[name] = null;
        }

        var manifest = new ConfigManifest((head?.Revision ?? 0) + 1, change.Now, entries.With(changes));
        var signature = signer.Sign(manifest);
        await StoreAsync(change, manifest, signature, changed, removed);
        return isGone && await FindDanglingAsync(change) is { } dangling
            ? dangling
            : new NewRevision(new(manifest, signature), [.. changed.Select(static shard => KeyValuePair.Create(shard.Hash, shard.Bytes))]);
    }

    private static async Task<CatalogProblem?> FindProblemAsync(ConfigChange change, List<Shard> shards)
    {
        // What the shards name outside of themselves: assumed to be there, then looked up at once.
        foreach (var shard in shards)
        {
            if (shard.FindProblems(static _ => true) is { Count: > 0 } problems)
            {
                return Problem(change, shard, problems);
            }
        }

        var named = shards.SelectMany(static shard => shard.References).ToHashSet();
        if (named.Count == 0)
        {
            return null;
        }

        var there = (await change.Connection.QueryAsync<Guid>(change.Sql(
            "select id from backends where id = any(@named) union all select id from applications where id = any(@named)", new { named = named.ToArray() }))).ToHashSet();
        return there.Count == named.Count
            ? null
            : shards.Select(shard => (Shard: shard, Problems: shard.FindProblems(there.Contains)))
                .Where(static found => found.Problems.Count > 0)
                .Select(found => Problem(change, found.Shard, found.Problems))
                .FirstOrDefault();
    }

    /// <summary>A backend or application that is gone while a shard that nobody touched still names it.</summary>
    private static async Task<CatalogProblem?> FindDanglingAsync(ConfigChange change)
    {
        var dangling = await change.Connection.QueryFirstOrDefaultAsync<(string Shard, Guid Id)?>(change.Sql(
            """
            select e.shard, r.id
            from config_entries e join config_shards s using (sha256) cross join unnest(s.refs) as r (id)
            where e.to_revision is null
              and not exists (select from backends b where b.id = r.id) and not exists (select from applications a where a.id = r.id)
            limit 1
            """));
        return dangling is { } found ? CatalogProblem.Invalid([new("", $"{found.Id} would be gone, but {found.Shard} still names it")]) : null;
    }

    private static CatalogProblem Problem(ConfigChange change, Shard shard, IReadOnlyList<SnapshotProblem> problems) => CatalogProblem.Invalid(
    [
        .. problems.Select(problem => change.PointerOf(shard.Content, problem.Pointer) is { } pointer
            ? new ProblemError(pointer, problem.Message)
            : new("", $"the configuration would be wrong in {shard.Name} at {problem.Pointer}: {problem.Message}")),
    ]);

    private static async Task StoreAsync(ConfigChange change, ConfigManifest manifest, byte[] signature, List<Shard> changed, string[] removed)
    {
        await using var batch = new NpgsqlBatch(change.Connection, change.Transaction);
        Add("insert into config_revisions (revision, created_at, content_sha256, signature, changed) values ($1, $2, $3, $4, $5)",
            manifest.Revision, manifest.CreatedAt.UtcDateTime, manifest.Sha256(), signature,
            changed.Select(static shard => shard.Name).Concat(removed).Order(StringComparer.Ordinal).ToArray());
        foreach (var shard in changed)
        {
            Add("insert into config_shards (sha256, content, refs) values ($1, $2, $3) on conflict (sha256) do nothing",
                Convert.FromHexString(shard.Hash), shard.Bytes, shard.References.ToArray());
        }

        Add("update config_entries set to_revision = $1 where to_revision is null and shard = any($2)",
            manifest.Revision, changed.Select(static shard => shard.Name).Concat(removed).ToArray());
        Add("insert into config_entries (shard, from_revision, sha256) select shard, $1, sha256 from unnest($2, $3) as t (shard, sha256)",
            manifest.Revision, changed.Select(static shard => shard.Name).ToArray(), changed.Select(static shard => Convert.FromHexString(shard.Hash)).ToArray());
        Add("update config_head set revision = $1", manifest.Revision);

        // What no kept revision refers to goes. The numbers stay: they have no gaps.
        Add("""
            with gone as (delete from config_entries where to_revision <= $1 returning sha256)
            delete from config_shards s using gone
            where s.sha256 = gone.sha256 and not exists (select from config_entries e where e.sha256 = s.sha256 and (e.to_revision is null or e.to_revision > $1))
            """, manifest.Revision - KeptRevisions + 1);
        Add("update config_revisions set snapshot = null where revision = $1", manifest.Revision - KeptRevisions);
        Add($"select pg_notify('{RevisionListener.Channel}', $1::text)", manifest.Revision); // is sent at the commit
        await batch.ExecuteNonQueryAsync(change.CancellationToken);

        void Add(string sql, params object[] values)
        {
            var command = new NpgsqlBatchCommand(sql);
            foreach (var value in values)
            {
                command.Parameters.Add(new() { Value = value });
            }

            batch.BatchCommands.Add(command);
        }
    }

    /// <summary>One shard of the new revision.</summary>
    private sealed record Shard(string Name, Snapshot Content, byte[] Bytes, string Hash)
    {
        /// <summary>Backends and applications that it names and that are not in it. What else it names is held by foreign keys.</summary>
        public HashSet<Guid> References { get; } = [];

        public static Shard Of(string name, Snapshot content)
        {
            var bytes = SnapshotShards.Serialize(content);
            return new(name, content, bytes, SnapshotShards.HashOf(bytes));
        }

        public IReadOnlyList<SnapshotProblem> FindProblems(Func<Guid, bool> exists)
        {
            static bool Held(Guid id) => true;
            bool Named(Guid id)
            {
                References.Add(id);
                return exists(id);
            }

            // Who owns a key is a foreign key; whom a split or an issuer names is not.
            return SnapshotValidator.Validate(Content, new(Named, Held, Content.Applications.Count + Content.Credentials.Count > 0 ? Held : Named, Held));
        }
    }
}

/// <summary>The active revision as its writer finds it.</summary>
/// <param name="Signature">Null: of a catalog that did not sign yet.</param>
internal sealed record ConfigHead(long Revision, byte[]? Signature);

/// <summary>A revision that is about to be committed.</summary>
/// <param name="Contents">Hash and bytes of the shards that changed.</param>
internal sealed record NewRevision(SignedManifest Signed, IReadOnlyList<KeyValuePair<string, byte[]>> Contents);
