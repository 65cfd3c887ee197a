using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Gateway.State;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>
/// What is in force, on disk: a file for each content, named by its hash, and a manifest of what this gateway runs, signed by itself with the key that
/// it shares with the catalog. A gateway that starts with everything else dead serves from here.
/// </summary>
internal sealed class ShardFiles(StateDirectory state, ManifestSigner signer, TimeProvider time, ILogger<ShardFiles> logger)
{
    public const string ManifestName = "manifest.json";
    private const string Folder = "shards";

    /// <summary>Replicas on one machine may share the folder and be a revision apart: what one needs no more may be what another is about to name.</summary>
    private static readonly TimeSpan KeptUnnamed = TimeSpan.FromMinutes(10);

    private readonly Lock _lock = new();
    private readonly Lock _writing = new();
    private DateTimeOffset _cleanedAt;
    private Dictionary<string, byte[]> _unwritten = new(StringComparer.Ordinal);
    private ConfigManifest? _latest;
    private Files? _taken;

    private string Root => Path.Combine(state.Root, Folder);

    /// <summary>The manifest of what is in force, and content that it names and the one before did not. Written by <see cref="Take"/> and <see cref="Write"/>: the
    /// next change waits for no disk.</summary>
    public void Keep(ConfigManifest manifest, IEnumerable<ReceivedShard> contents)
    {
        lock (_lock)
        {
            _latest = manifest;
            foreach (var shard in contents)
            {
                _unwritten[shard.Hash] = shard.Content;
            }
        }
    }

    /// <summary>A snapshot in one piece is in force now.</summary>
    public void Forget()
    {
        lock (_writing)
        {
            lock (_lock)
            {
                (_latest, _taken) = (null, null);
                _unwritten.Clear();
            }

            File.Delete(Path.Combine(state.Root, ManifestName));
        }
    }

    /// <summary>The newest manifest, signed, and what it names, when that is not on disk yet; null: nothing is to be written. Whoever
    /// takes it writes it.</summary>
    public Files? Take()
    {
        ConfigManifest? manifest;
        Dictionary<string, byte[]> contents;
        lock (_lock)
        {
            (manifest, contents) = (_latest, _unwritten);
            (_latest, _unwritten) = (null, new(StringComparer.Ordinal));
        }

        if (manifest is null)
        {
            return null;
        }

        var file = new ManifestFile(manifest.Revision, manifest.CreatedAt, manifest.Shards, signer.Sign(manifest, BackgroundThread.GiveWay));
        return _taken = new(manifest, JsonSerializer.SerializeToUtf8Bytes(file, ManifestJson.Default.ManifestFile), contents);
    }

    /// <summary>Writes what was taken, unless <see cref="Forget"/> came between. Blocks; one at a time.</summary>
    public void Write(Files files)
    {
        lock (_writing)
        {
            if (!ReferenceEquals(files, _taken))
            {
                return;
            }

            try
            {
                Directory.CreateDirectory(Root);
                var hashes = files.Manifest.Shards.Values.ToHashSet(StringComparer.Ordinal);
                foreach (var (hash, content) in files.Contents.Where(content => hashes.Contains(content.Key) && !File.Exists(Path.Combine(Root, content.Key))))
                {
                    state.Write(Path.Combine(Folder, hash), content);
                }

                state.Write(ManifestName, files.Signed);
                File.Delete(Path.Combine(state.Root, ActiveSnapshot.FileName));
                DeleteUnnamed(hashes);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Tried again after the pause, with what changed until then.
                logger.SnapshotNotKept(files.Manifest.Revision, e);
                lock (_lock)
                {
                    _latest ??= files.Manifest;
                    foreach (var (hash, content) in files.Contents)
                    {
                        _unwritten.TryAdd(hash, content);
                    }
                }
            }
        }
    }

    private void DeleteUnnamed(HashSet<string> hashes)
    {
        var now = time.GetUtcNow();
        if (now - _cleanedAt < KeptUnnamed / 10)
        {
            return; // looking through all files for every change would cost more than the few that are too many
        }

        _cleanedAt = now;
        var old = now.UtcDateTime - KeptUnnamed;
        foreach (var path in Directory.EnumerateFiles(Root).Where(path => !hashes.Contains(Path.GetFileName(path)) && File.GetLastWriteTimeUtc(path) < old))
        {
            File.Delete(path);
        }
    }

    /// <summary>What was in force when it was written last; null when there is nothing, or nothing that this deployment signed.</summary>
    public (ConfigManifest Manifest, IReadOnlyList<ReceivedShard> Shards)? Load()
    {
        var json = state.Read(ManifestName, out var damage);
        if (damage is null && json is null)
        {
            return null;
        }

        ConfigManifest? manifest = null;
        if (json is not null)
        {
            try
            {
                var file = JsonSerializer.Deserialize(json, ManifestJson.Default.ManifestFile)!;
                manifest = new(file.Revision, file.CreatedAt, ShardHashes.Of(file.Shards));
                damage = signer.Verify(manifest, file.Signature.Span) ? null : "the signature is not of this deployment's service token";
            }
            catch (JsonException e)
            {
                damage = e.Message;
            }
        }

        if (damage is not null)
        {
            logger.SnapshotFileDamaged(damage);
            return null;
        }

        var shards = new List<ReceivedShard>();
        foreach (var (name, hash) in manifest!.Shards)
        {
            var content = state.Read(Path.Combine(Folder, hash), out var wrong);
            if (content is null || SnapshotShards.HashOf(content) != hash)
            {
                logger.SnapshotFileDamaged(string.Create(CultureInfo.InvariantCulture, $"shard {name}: {wrong ?? "is missing or has another hash"}"));
            }
            else
            {
                shards.Add(new(name, hash, content));
            }
        }

        return (manifest, shards);
    }

    /// <summary>What is to be written: <paramref name="Signed"/> is the file of <paramref name="Manifest"/>, contents are by their hashes.</summary>
    public sealed record Files(ConfigManifest Manifest, byte[] Signed, Dictionary<string, byte[]> Contents);
}

internal sealed record ManifestFile(long Revision, DateTimeOffset CreatedAt, IReadOnlyDictionary<string, string> Shards, ReadOnlyMemory<byte> Signature);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ManifestFile))]
internal sealed partial class ManifestJson : JsonSerializerContext;
