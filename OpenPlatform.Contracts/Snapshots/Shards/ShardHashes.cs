using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace OpenPlatform.Contracts.Snapshots.Shards;

/// <summary>
/// Name → SHA-256 of the content (lower-case hexadecimal) of every shard of a revision, in ordinal order of the names, as manifests are signed. Immutable.
/// A revision usually has the names of the one before: they, their order and their index are shared, so that it costs a copy of references and no more.
/// </summary>
#pragma warning disable CA1710 // a revision's shards and their hashes are what it is; that they can be looked up like a dictionary is a property of them
public sealed class ShardHashes : IReadOnlyDictionary<string, string>
#pragma warning restore CA1710
{
    private readonly Names _names;
    private readonly string[] _hashes;

    private ShardHashes(Names names, string[] hashes) => (_names, _hashes) = (names, hashes);

    public static ShardHashes Empty { get; } = new(new([]), []);

    public int Count => _hashes.Length;

    public IEnumerable<string> Keys => _names.Ordered;

    public IEnumerable<string> Values => _hashes;

    /// <exception cref="KeyNotFoundException">There is no such shard.</exception>
    public string this[string key] => TryGetValue(key, out var hash) ? hash : throw new KeyNotFoundException($"There is no shard {key}.");

    public static ShardHashes Of(IEnumerable<KeyValuePair<string, string>> shards)
    {
        if (shards is ShardHashes same)
        {
            return same;
        }

        var all = shards.ToArray();
        var names = Array.ConvertAll(all, static shard => shard.Key);
        var hashes = Array.ConvertAll(all, static shard => shard.Value);
        Array.Sort(names, hashes, StringComparer.Ordinal);
        return new(new(names), hashes);
    }

    /// <summary>The same with some shards changed.</summary>
    /// <param name="changes">By name; null: the shard is gone.</param>
    /// <param name="alike">One that perhaps has the names of the result, which are shared with it then.</param>
    public ShardHashes With(IReadOnlyDictionary<string, string?> changes, ShardHashes? alike = null)
    {
        var hashes = (string[])_hashes.Clone();
        foreach (var (name, hash) in changes)
        {
            if (hash is not null && _names.Index.TryGetValue(name, out var at))
            {
                hashes[at] = hash;
            }
            else if (hash is not null || _names.Index.ContainsKey(name))
            {
                return Rebuilt(changes, alike);
            }
        }

        return new(_names, hashes);
    }

    /// <summary>Those that <paramref name="before"/> has not, or with another content.</summary>
    public List<KeyValuePair<string, string>> ChangedSince(ShardHashes before)
    {
        var changed = new List<KeyValuePair<string, string>>();
        var isSame = ReferenceEquals(_names, before._names);
        for (var i = 0; i < _hashes.Length; i++)
        {
            var old = isSame ? before._hashes[i] : before.GetValueOrDefault(_names.Ordered[i]);
            if (!ReferenceEquals(old, _hashes[i]) && old != _hashes[i])
            {
                changed.Add(new(_names.Ordered[i], _hashes[i]));
            }
        }

        return changed;
    }

    /// <summary>Names that <paramref name="before"/> has and this has not.</summary>
    public IReadOnlyList<string> RemovedSince(ShardHashes before) =>
        ReferenceEquals(_names, before._names) ? [] : [.. before._names.Ordered.Where(name => !_names.Index.ContainsKey(name))];

    public bool ContainsKey(string key) => _names.Index.ContainsKey(key);

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out string value)
    {
        var found = _names.Index.TryGetValue(key, out var at);
        value = found ? _hashes[at] : null;
        return found;
    }

    public IEnumerator<KeyValuePair<string, string>> GetEnumerator()
    {
        for (var i = 0; i < _hashes.Length; i++)
        {
            yield return new(_names.Ordered[i], _hashes[i]);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private ShardHashes Rebuilt(IReadOnlyDictionary<string, string?> changes, ShardHashes? alike)
    {
        var rebuilt = Of(this.Where(shard => !changes.ContainsKey(shard.Key)).Concat(
            changes.Where(static change => change.Value is not null).Select(static change => KeyValuePair.Create(change.Key, change.Value!))));
        return alike is not null && alike._names.Ordered.AsSpan().SequenceEqual(rebuilt._names.Ordered) ? new(alike._names, rebuilt._hashes) : rebuilt;
    }

    /// <param name="ordered">In ordinal order, each once.</param>
    private sealed class Names(string[] ordered)
    {
        public string[] Ordered { get; } = ordered;

        public Dictionary<string, int> Index { get; } =
            ordered.Select(static (name, at) => KeyValuePair.Create(name, at)).ToDictionary(StringComparer.Ordinal);
    }
}
