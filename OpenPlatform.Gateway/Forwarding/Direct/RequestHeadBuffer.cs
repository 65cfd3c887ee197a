using System.Buffers;
using System.Text;

namespace OpenPlatform.Gateway.Forwarding.Direct;

/// <summary>The head of one request as bytes; kept and used again by its connection.</summary>
internal sealed class RequestHeadBuffer
{
    private const int Usual = 2 << 10;
    private const int Largest = 16 << 10;
    private const int MostUtf8BytesPerChar = 3;

    // What a path may show as it is (RFC 3986, 3.3), and a query (3.4, and the brackets that everybody uses): a percent sign only before two digits.
    private static readonly SearchValues<char> PathCharacters =
        SearchValues.Create("!$&'()*+,-./0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~");

    private static readonly SearchValues<char> QueryCharacters =
        SearchValues.Create("!$&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~");

    private static readonly SearchValues<char> LineEnds = SearchValues.Create('\r', '\n', '\0');

    private byte[] _bytes = new byte[Usual];

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Bytes => _bytes.AsMemory(0, Length);

    public void Clear()
    {
        Length = 0;
        if (_bytes.Length > Largest)
        {
            _bytes = new byte[Usual];
        }
    }

    public void Add(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room(bytes.Length));
        Length += bytes.Length;
    }

    /// <summary>As UTF-8: so Kestrel has read it.</summary>
    public void Add(ReadOnlySpan<char> text) => Length += Encoding.UTF8.GetBytes(text, Room(text.Length * MostUtf8BytesPerChar));

    public void Add(long number)
    {
        number.TryFormat(Room(20), out var written);
        Length += written;
    }

    /// <summary>A header line; nothing where the value would end it.</summary>
    public void AddHeader(ReadOnlySpan<char> name, ReadOnlySpan<char> value)
    {
        if (value.ContainsAny(LineEnds))
        {
            return;
        }

        Add(name);
        Add(": "u8);
        Add(value);
        Add("\r\n"u8);
    }

    /// <summary>A decoded path, encoded again where it must be.</summary>
    public void AddPath(ReadOnlySpan<char> path)
    {
        while (path.IndexOfAnyExcept(PathCharacters) is >= 0 and var odd)
        {
            Add(path[..odd]);
            var end = path[odd..].IndexOfAny(PathCharacters);
            AddEncoded(end < 0 ? path[odd..] : path.Slice(odd, end));
            path = end < 0 ? [] : path[(odd + end)..];
        }

        Add(path);
    }

    /// <summary>A query with its question mark; what may not stand in one is encoded, and what need not be encoded is decoded (RFC 3986, 6.2.2), as
    /// <see cref="Uri"/> does it for the other requests.</summary>
    public void AddQuery(ReadOnlySpan<char> query)
    {
        while (query.IndexOfAnyExcept(QueryCharacters) is >= 0 and var odd)
        {
            Add(query[..odd]);
            query = query[odd..];
            if (query is ['%', var high, var low, ..] && char.IsAsciiHexDigit(high) && char.IsAsciiHexDigit(low))
            {
                var decoded = (char)((Value(high) << 4) | Value(low));
                Add(char.IsAsciiLetterOrDigit(decoded) || decoded is '-' or '.' or '_' or '~' ? [decoded] : query[..3]);
                query = query[3..];
                continue;
            }

            var count = char.IsHighSurrogate(query[0]) && query.Length > 1 ? 2 : 1;
            AddEncoded(query[..count]);
            query = query[count..];
        }

        Add(query);
    }

    private static int Value(char digit) => char.IsAsciiDigit(digit) ? digit - '0' : (digit | 0x20) - 'a' + 10;

    private void AddEncoded(ReadOnlySpan<char> text)
    {
        var utf8 = ArrayPool<byte>.Shared.Rent(text.Length * MostUtf8BytesPerChar);
        foreach (var unit in utf8.AsSpan(0, Encoding.UTF8.GetBytes(text, utf8)))
        {
            var room = Room(3);
            room[0] = (byte)'%';
            room[1] = Digit(unit >> 4);
            room[2] = Digit(unit & 15);
            Length += 3;
        }

        ArrayPool<byte>.Shared.Return(utf8);

        static byte Digit(int value) => (byte)(value < 10 ? '0' + value : 'A' + value - 10);
    }

    private Span<byte> Room(int count)
    {
        if (_bytes.Length - Length < count)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + count));
        }

        return _bytes.AsSpan(Length);
    }
}
