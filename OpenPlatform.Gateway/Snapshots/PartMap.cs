using System.Collections;
using System.Diagnostics.CodeAnalysis;
using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>
/// What the shards of one kind hold, by id: the id says in which segment to look, so that a changed shard costs what is in it and not what is in all of them.
/// Immutable.
/// </summary>
internal sealed class PartMap<T> : IReadOnlyDictionary<Guid, T>
    where T : class
{
    private static readonly Dictionary<Guid, T> Nothing = [];

    private readonly ShardKind _kind;
    private readonly Dictionary<Guid, T>[] _segments;

    // Shards that hold what is not of their segment; looked at first. What a catalog of before says in the core, where it says all, goes before all others.
    private readonly Dictionary<string, IReadOnlyList<KeyValuePair<Guid, T>>> _irregular;
    private readonly Dictionary<Guid, T> _first;

    public PartMap(ShardKind kind)
        : this(kind, [.. Enumerable.Repeat(Nothing, ShardName.Segments)], new(StringComparer.Ordinal))
    {
    }

    private PartMap(ShardKind kind, Dictionary<Guid, T>[] segments, Dictionary<string, IReadOnlyList<KeyValuePair<Guid, T>>> irregular)
    {
        (_kind, _segments, _irregular, _first) = (kind, segments, irregular, []);
        foreach (var (_, items) in irregular.OrderBy(static part => part.Key == ShardName.Core))
        {
            foreach (var (id, item) in items)
            {
                _first[id] = item;
            }
        }
    }

    public int Count => _first.Count + _segments.Sum(segment => _first.Count == 0 ? segment.Count : segment.Keys.Count(id => !_first.ContainsKey(id)));

    public IEnumerable<Guid> Keys => this.Select(static item => item.Key);

    public IEnumerable<T> Values => this.Select(static item => item.Value);

    /// <exception cref="KeyNotFoundException">There is no such id.</exception>
    public T this[Guid key] => TryGetValue(key, out var item) ? item : throw new KeyNotFoundException($"There is no {key} in any of the {_kind}.");

    /// <summary>The same with other content of some shards.</summary>
    /// <param name="changed">By name of the shard; what it holds of this kind.</param>
    public PartMap<T> With(IEnumerable<KeyValuePair<string, IReadOnlyList<KeyValuePair<Guid, T>>>> changed)
    {
        Dictionary<Guid, T>[]? segments = null;
        var irregular = _irregular;
        foreach (var (name, items) in changed)
        {
            var isMine = ShardName.TryParse(name, out var kind, out _, out var segment) && kind == _kind;
            var isRegular = items.Count == 0 || (isMine && items.All(item => ShardName.SegmentOf(item.Key) == segment));
            if (isMine)
            {
                segments ??= [.. _segments];
                segments[segment] = isRegular && items.Count > 0 ? new(items) : Nothing;
            }

            if (!isRegular || irregular.ContainsKey(name))
            {
                irregular = new(irregular, StringComparer.Ordinal);
                irregular.Remove(name);
                if (!isRegular)
                {
                    irregular[name] = items;
                }
            }
        }

        return segments is null && ReferenceEquals(irregular, _irregular) ? this : new(_kind, segments ?? _segments, irregular);
    }

    public bool ContainsKey(Guid key) => TryGetValue(key, out _);

    public bool TryGetValue(Guid key, [MaybeNullWhen(false)] out T value) =>
        (_first.Count > 0 && _first.TryGetValue(key, out value)) || _segments[ShardName.SegmentOf(key)].TryGetValue(key, out value);

    public IEnumerator<KeyValuePair<Guid, T>> GetEnumerator() =>
        _first.Concat(_segments.SelectMany(static segment => segment).Where(item => _first.Count == 0 || !_first.ContainsKey(item.Key))).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
