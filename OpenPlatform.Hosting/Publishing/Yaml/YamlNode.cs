using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace OpenPlatform.Hosting.Publishing.Yaml;

/// <summary>A piece of a YAML document. Texts, numbers and booleans turn into one by themselves; null is left out wherever it is put.</summary>
internal abstract class YamlNode
{
    [return: NotNullIfNotNull(nameof(value))]
    public static implicit operator YamlNode?(string? value) => value is null ? null : new YamlScalar(value);
    public static implicit operator YamlNode(int value) => new YamlScalar(value);
    public static implicit operator YamlNode(bool value) => new YamlScalar(value);

    internal static YamlList List(IEnumerable<YamlNode?> items) => [.. items];
    internal static YamlList Texts(IEnumerable<string> items) => [.. items.Select(i => (YamlNode)i!)];
}

/// <param name="value">A string, an int or a bool.</param>
internal sealed class YamlScalar(object value) : YamlNode
{
    public object Value { get; } = value;
}

/// <summary>Keys in the order in which they were set.</summary>
internal sealed class YamlMap : YamlNode, IEnumerable<KeyValuePair<string, YamlNode>>
{
    private readonly List<KeyValuePair<string, YamlNode>> _entries = [];

    public YamlMap() { }

    public YamlMap(IEnumerable<KeyValuePair<string, YamlNode>> entries) => _entries.AddRange(entries);

    public int Count => _entries.Count;

    /// <summary>Key → a line that is written above it.</summary>
    public Dictionary<string, string> Comments { get; } = [];

    /// <summary>Setting null leaves the key out.</summary>
    public YamlNode? this[string key]
    {
        get => _entries.Find(e => e.Key == key).Value;
        set
        {
            var at = _entries.FindIndex(e => e.Key == key);
            if (value is null)
            {
                return;
            }

            if (at < 0)
            {
                _entries.Add(new(key, value));
            }
            else
            {
                _entries[at] = new(key, value);
            }
        }
    }

    public IEnumerator<KeyValuePair<string, YamlNode>> GetEnumerator() => _entries.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

internal sealed class YamlList : YamlNode, IEnumerable<YamlNode>
{
    private readonly List<YamlNode> _items = [];

    public int Count => _items.Count;

    public void Add(YamlNode? item)
    {
        if (item is not null)
        {
            _items.Add(item);
        }
    }

    public IEnumerator<YamlNode> GetEnumerator() => _items.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
