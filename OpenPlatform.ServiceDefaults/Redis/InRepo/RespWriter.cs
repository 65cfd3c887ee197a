using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace OpenPlatform.ServiceDefaults.Redis.InRepo;

/// <summary>Writes commands as RESP arrays of bulk strings into one pooled buffer.</summary>
internal ref struct RespWriter(int capacity)
{
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(capacity);

    public int Length { get; private set; }

    public void Header(int arguments)
    {
        Reserve(16);
        _buffer[Length++] = (byte)'*';
        Number(arguments);
        NewLine();
    }

    public void Argument(in RedisArgument argument)
    {
        if (argument.Text is { } text)
        {
            Bulk(text);
        }
        else if (argument.IsNumber)
        {
            Span<byte> digits = stackalloc byte[20];
            Utf8Formatter.TryFormat(argument.Number, digits, out var count);
            Bulk(digits[..count]);
        }
        else
        {
            Bulk(argument.Bytes.Span);
        }
    }

    public void Bulk(string text)
    {
        var count = Encoding.UTF8.GetByteCount(text);
        BulkHeader(count);
        Length += Encoding.UTF8.GetBytes(text, _buffer.AsSpan(Length));
        NewLine();
    }

    public void Bulk(scoped ReadOnlySpan<byte> bytes)
    {
        BulkHeader(bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(Length));
        Length += bytes.Length;
        NewLine();
    }

    /// <summary>Bytes that are already RESP.</summary>
    public void Raw(scoped ReadOnlySpan<byte> bytes)
    {
        Reserve(bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(Length));
        Length += bytes.Length;
    }

    /// <summary>The buffer, to be given back to <see cref="ArrayPool{T}.Shared"/> by the caller.</summary>
    public readonly byte[] Detach() => _buffer;

    private void BulkHeader(int count)
    {
        Reserve(count + 16); // '$', up to ten digits, two line ends
        _buffer[Length++] = (byte)'$';
        Number(count);
        NewLine();
    }

    private void Number(int value)
    {
        Utf8Formatter.TryFormat(value, _buffer.AsSpan(Length), out var count);
        Length += count;
    }

    private void NewLine()
    {
        _buffer[Length++] = (byte)'\r';
        _buffer[Length++] = (byte)'\n';
    }

    private void Reserve(int count)
    {
        if (_buffer.Length - Length >= count)
        {
            return;
        }

        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_buffer.Length * 2, Length + count));
        _buffer.AsSpan(0, Length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
