using System.Buffers.Text;

namespace OpenPlatform.ServiceDefaults.Redis.InRepo;

/// <summary>The server sent something that is not RESP2 or is larger than allowed. The connection cannot be used further.</summary>
internal sealed class RespProtocolException(string message) : Exception(message);

/// <summary>Bounds of one reply, so that a broken or hostile server costs a known amount of memory.</summary>
/// <param name="MaxDepth">Arrays in arrays.</param>
/// <param name="MaxItems">Array items of one reply, all levels together.</param>
/// <param name="MaxBytes">Bytes of bulk strings of one reply, all together.</param>
/// <param name="MaxLine">Bytes of one status, error or number line.</param>
internal sealed record RespLimits(int MaxDepth = 16, int MaxItems = 1 << 20, int MaxBytes = 64 << 20, int MaxLine = 64 << 10);

/// <summary>
/// Reads RESP2 piece by piece: bytes may be cut anywhere, and nothing is read twice. After a
/// <see cref="RespProtocolException"/> the reader is of no further use.
/// </summary>
internal sealed class RespReader(RespLimits limits)
{
    private enum Expect { Type, Line, Bulk, BulkCr, BulkLf }

    private readonly Stack<(RedisReply[] Items, int Filled)> _open = new();
    private byte[] _line = new byte[128];
    private int _lineLength;
    private byte _type;
    private Expect _expect = Expect.Type;
    private byte[] _bulk = [];
    private int _bulkFilled;
    private int _items;
    private long _bytes;

    /// <summary>Takes bytes until one reply is complete or there are no more.</summary>
    /// <param name="data">What arrived.</param>
    /// <param name="reply">The complete reply, or null when more bytes are needed.</param>
    /// <returns>How many bytes were taken; the rest belongs to the next reply.</returns>
    /// <exception cref="RespProtocolException">Not RESP2, or over a limit.</exception>
    public int Read(ReadOnlySpan<byte> data, out RedisReply? reply)
    {
        reply = null;
        var position = 0;
        while (position < data.Length)
        {
            RedisReply? value = null;
            switch (_expect)
            {
                case Expect.Type:
                    _type = data[position++];
                    if (_type is not ((byte)'+' or (byte)'-' or (byte)':' or (byte)'$' or (byte)'*'))
                    {
                        throw new RespProtocolException($"Unknown reply type 0x{_type:x2}.");
                    }

                    _lineLength = 0;
                    _expect = Expect.Line;
                    break;
                case Expect.Line:
                    position += ReadLine(data[position..], out var complete);
                    if (complete)
                    {
                        _expect = Expect.Type;
                        value = EndOfLine(_line.AsSpan(0, _lineLength));
                    }

                    break;
                case Expect.Bulk:
                    var count = Math.Min(_bulk.Length - _bulkFilled, data.Length - position);
                    data.Slice(position, count).CopyTo(_bulk.AsSpan(_bulkFilled));
                    position += count;
                    _bulkFilled += count;
                    if (_bulkFilled == _bulk.Length)
                    {
                        _expect = Expect.BulkCr;
                    }

                    break;
                case Expect.BulkCr:
                    Require(data[position++], (byte)'\r');
                    _expect = Expect.BulkLf;
                    break;
                case Expect.BulkLf:
                    Require(data[position++], (byte)'\n');
                    _expect = Expect.Type;
                    value = RedisReply.FromBytes(RedisReplyKind.Bulk, _bulk);
                    _bulk = [];
                    break;
            }

            if (value is not null && Complete(value) is { } whole)
            {
                reply = whole;
                return position;
            }
        }

        return position;
    }

    /// <summary>Collects up to and including CR LF; the line keeps neither.</summary>
    private int ReadLine(ReadOnlySpan<byte> data, out bool complete)
    {
        complete = false;
        var end = data.IndexOf((byte)'\n');
        var taken = end < 0 ? data.Length : end + 1;
        if (_lineLength + taken > limits.MaxLine)
        {
            throw new RespProtocolException($"A line is longer than {limits.MaxLine} bytes.");
        }

        if (_lineLength + taken > _line.Length)
        {
            Array.Resize(ref _line, Math.Max(_line.Length * 2, _lineLength + taken));
        }

        data[..taken].CopyTo(_line.AsSpan(_lineLength));
        _lineLength += taken;
        if (end >= 0)
        {
            if (_lineLength < 2 || _line[_lineLength - 2] != '\r')
            {
                throw new RespProtocolException("A line ends without CR.");
            }

            _lineLength -= 2;
            complete = true;
        }

        return taken;
    }

    /// <summary>The value that the finished line is, or null when it opens a bulk string or a non-empty array.</summary>
    private RedisReply? EndOfLine(ReadOnlySpan<byte> line)
    {
        if (_type is (byte)'+' or (byte)'-')
        {
            if (line.Contains((byte)'\r'))
            {
                throw new RespProtocolException("A line holds a lone CR.");
            }

            return _type == '+' && line.SequenceEqual("OK"u8)
                ? RedisReply.Ok
                : RedisReply.FromBytes(_type == '+' ? RedisReplyKind.Simple : RedisReplyKind.Error, line.ToArray());
        }

        if (!Utf8Parser.TryParse(line, out long number, out var consumed) || consumed != line.Length)
        {
            throw new RespProtocolException("A number line holds no 64-bit number.");
        }

        if (_type == ':')
        {
            return RedisReply.FromInteger(number);
        }

        if (number == -1)
        {
            return RedisReply.Null;
        }

        if (number < 0)
        {
            throw new RespProtocolException("A length is negative.");
        }

        if (_type == '$')
        {
            _bytes += number;
            if (_bytes > limits.MaxBytes)
            {
                throw new RespProtocolException($"A reply is larger than {limits.MaxBytes} bytes.");
            }

            _bulk = number == 0 ? [] : new byte[number];
            _bulkFilled = 0;
            _expect = number == 0 ? Expect.BulkCr : Expect.Bulk;
            return null;
        }

        if (number > limits.MaxItems - _items)
        {
            throw new RespProtocolException($"A reply has more than {limits.MaxItems} items.");
        }

        _items += (int)number;
        if (number == 0)
        {
            return RedisReply.FromItems([]);
        }

        if (_open.Count == limits.MaxDepth)
        {
            throw new RespProtocolException($"A reply is nested deeper than {limits.MaxDepth} arrays.");
        }

        _open.Push((new RedisReply[number], 0));
        return null;
    }

    /// <summary>Puts a finished value into the array it belongs to; returns the outermost value once that is whole.</summary>
    private RedisReply? Complete(RedisReply value)
    {
        while (_open.TryPop(out var array))
        {
            array.Items[array.Filled++] = value;
            if (array.Filled < array.Items.Length)
            {
                _open.Push(array);
                return null;
            }

            value = RedisReply.FromItems(array.Items);
        }

        _items = 0;
        _bytes = 0;
        return value;
    }

    private static void Require(byte actual, byte expected)
    {
        if (actual != expected)
        {
            throw new RespProtocolException("A bulk string does not end with CR LF.");
        }
    }
}
