using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace OpenPlatform.Hosting.Publishing.Azure.Bicep;

/// <summary>A value of a Bicep file: text, numbers, objects, lists, and expressions of the language.</summary>
internal abstract class BicepValue
{
    [return: NotNullIfNotNull(nameof(text))]
    public static implicit operator BicepValue?(string? text) => text is null ? null : new BicepText([new BicepLiteral(text)]);
    public static implicit operator BicepValue(int number) => new BicepLiteral(number);
    public static implicit operator BicepValue(bool flag) => new BicepLiteral(flag);

    /// <summary>A parameter, a variable, a resource or a module of the file.</summary>
    public static BicepExpression Symbol(string name) => new(name);

    public static BicepExpression Call(string function, params BicepValue[] arguments) => new($"{function}({string.Join(", ", arguments.Select(static a => BicepWriter.Inline(a)))})");

    /// <summary><c>condition ? yes : no</c></summary>
    public static BicepExpression Choose(BicepExpression condition, BicepValue yes, BicepValue no) => new($"{condition.Code} ? {BicepWriter.Inline(yes)} : {BicepWriter.Inline(no)}");

    /// <summary>Texts and expressions one after the other: <c>'Host=${server.name};Port=5432'</c>.</summary>
    public static BicepValue Text(params BicepValue[] parts) =>
        parts is [BicepExpression alone] ? alone : new BicepText([.. parts.SelectMany(static p => p is BicepText text ? text.Parts : [p])]);

    public static BicepList Texts(IEnumerable<string> items) => List(items.Select(static i => (BicepValue)i));

    public static BicepList List(IEnumerable<BicepValue> items) => [.. items];
}

/// <param name="value">A <see cref="string"/>, an <see cref="int"/> or a <see cref="bool"/>.</param>
internal sealed class BicepLiteral(object value) : BicepValue
{
    public object Value => value;
}

/// <summary>A text with holes.</summary>
internal sealed class BicepText(IReadOnlyList<BicepValue> parts) : BicepValue
{
    /// <summary>Literal texts, and expressions that fill the holes.</summary>
    public IReadOnlyList<BicepValue> Parts => parts;
}

internal sealed class BicepExpression(string code) : BicepValue
{
    public string Code => code;

    public BicepExpression Get(string property) => new($"{code}.{property}");
}

/// <summary>Entries in the order of their addition; without value: not there.</summary>
internal sealed class BicepMap : BicepValue, IEnumerable<KeyValuePair<string, BicepValue>>
{
    private readonly List<KeyValuePair<string, BicepValue>> _entries = [];

    public BicepMap() { }

    public BicepMap(IEnumerable<KeyValuePair<string, BicepValue>> entries) => _entries.AddRange(entries);

    public int Count => _entries.Count;

    public BicepValue? this[string key]
    {
        set
        {
            if (value is not null)
            {
                _entries.Add(new(key, value));
            }
        }
    }

    /// <summary>An entry whose key is made of an expression.</summary>
    public static BicepMap Keyed(BicepExpression key, BicepValue value) => new([new($"'${{{key.Code}}}'", value)]);

    public IEnumerator<KeyValuePair<string, BicepValue>> GetEnumerator() => _entries.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

internal sealed class BicepList : BicepValue, IEnumerable<BicepValue>
{
    private readonly List<BicepValue> _items = [];

    public int Count => _items.Count;

    public void Add(BicepValue? item)
    {
        if (item is not null)
        {
            _items.Add(item);
        }
    }

    public IEnumerator<BicepValue> GetEnumerator() => _items.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
