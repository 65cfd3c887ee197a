using System.Text;

namespace OpenPlatform.ServiceDefaults.Redis;

/// <summary>One argument of a command: text (sent as UTF-8), a number (sent as decimal text) or bytes.</summary>
public readonly struct RedisArgument
{
    private RedisArgument(string? text, ReadOnlyMemory<byte> bytes, long number)
    {
        Text = text;
        Bytes = bytes;
        Number = number;
    }

    internal string? Text { get; }

    internal ReadOnlyMemory<byte> Bytes { get; }

    internal long Number { get; }

    internal bool IsNumber { get; private init; }

    public static implicit operator RedisArgument(string text) => new(text, default, 0);

    public static implicit operator RedisArgument(long number) => new(null, default, number) { IsNumber = true };

    public static implicit operator RedisArgument(int number) => (long)number;

    public static implicit operator RedisArgument(byte[] bytes) => new(null, bytes, 0);

    public static implicit operator RedisArgument(ReadOnlyMemory<byte> bytes) => new(null, bytes, 0);
}

/// <summary>What kind of answer a <see cref="RedisReply"/> is.</summary>
public enum RedisReplyKind
{
    /// <summary>No value.</summary>
    Null,

    /// <summary>A status line such as <c>OK</c>.</summary>
    Simple,

    /// <summary>A signed 64-bit number.</summary>
    Integer,

    /// <summary>Bytes.</summary>
    Bulk,

    /// <summary>A list of replies.</summary>
    Array,

    /// <summary>An error nested in an array; a top-level one is thrown as <see cref="RedisServerException"/>.</summary>
    Error,
}

/// <summary>An answer of the server.</summary>
public sealed class RedisReply
{
    private readonly long _integer;
    private readonly byte[]? _bytes;
    private readonly RedisReply[]? _items;

    private RedisReply(RedisReplyKind kind, long integer = 0, byte[]? bytes = null, RedisReply[]? items = null)
    {
        Kind = kind;
        _integer = integer;
        _bytes = bytes;
        _items = items;
    }

    public static RedisReply Null { get; } = new(RedisReplyKind.Null);

    internal static RedisReply Ok { get; } = new(RedisReplyKind.Simple, bytes: [(byte)'O', (byte)'K']);

    // Counters, flags and "how many were changed" answer with small numbers: they cost no allocation.
    private static readonly RedisReply[] SmallIntegers = [.. Enumerable.Range(-1, 258).Select(n => new RedisReply(RedisReplyKind.Integer, n))];

    public RedisReplyKind Kind { get; }

    public bool IsNull => Kind == RedisReplyKind.Null;

    /// <summary>The replies of an array; empty for null.</summary>
    public IReadOnlyList<RedisReply> Items => Kind switch
    {
        RedisReplyKind.Array => _items!,
        RedisReplyKind.Null => [],
        _ => throw new InvalidOperationException($"A {Kind} reply has no items."),
    };

    /// <summary>The bytes of a bulk, simple or error reply; null for null.</summary>
    public byte[]? AsBytes() => Kind is RedisReplyKind.Integer or RedisReplyKind.Array
        ? throw new InvalidOperationException($"A {Kind} reply is not bytes.")
        : _bytes;

    /// <summary>The text of a bulk, simple or integer reply; null for null.</summary>
    public string? AsString() => Kind switch
    {
        RedisReplyKind.Null => null,
        RedisReplyKind.Integer => _integer.ToString(),
        RedisReplyKind.Array => throw new InvalidOperationException("An Array reply is not text."),
        _ => Encoding.UTF8.GetString(_bytes!),
    };

    /// <summary>The number of an integer reply or of a bulk reply that holds one.</summary>
    /// <exception cref="FormatException">The reply holds no 64-bit number.</exception>
    public long AsInt64() => Kind == RedisReplyKind.Integer ? _integer : long.Parse(AsString() ?? throw new FormatException("The reply is null."));

    internal static RedisReply FromInteger(long value) =>
        value is >= -1 and < 257 ? SmallIntegers[value + 1] : new(RedisReplyKind.Integer, value);

    internal static RedisReply FromBytes(RedisReplyKind kind, byte[] bytes) => new(kind, bytes: bytes);

    internal static RedisReply FromItems(RedisReply[] items) => new(RedisReplyKind.Array, items: items);
}
