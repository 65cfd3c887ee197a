using System.Buffers.Binary;

namespace OpenPlatform.Gateway.Protocols;

/// <summary>
/// The way of a WebSocket's frames to the client. It follows the frames' lengths and touches nothing else, so that a gateway that
/// leaves can say so where a frame begins: close, 1001 "going away" (RFC 6455, 7.4.1). Nothing follows that; the client's answer
/// goes on to the backend and ends both sides.
/// </summary>
internal sealed class GoingAwayStream : Stream
{
    private const int LongestHeader = 14;

    private static readonly byte[] CloseFrame = [0x88, 0x02, 0x03, 0xE9];

    private readonly Stream _inner;
    private readonly CancellationToken _leaving;
    private readonly CancellationTokenRegistration _registration;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly byte[] _header = new byte[LongestHeader];
    private int _headerLength;
    private ulong _payloadLeft;
    private bool _isClosed;

    public GoingAwayStream(Stream inner, CancellationToken leaving)
    {
        _inner = inner;
        _leaving = leaving;
        _registration = leaving.UnsafeRegister(static stream => _ = ((GoingAwayStream)stream!).CloseAsync(), this);
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    private bool IsBetweenFrames => _headerLength == 0 && _payloadLeft == 0;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => _inner.ReadAsync(buffer, cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        _inner.ReadAsync(buffer, offset, count, cancellationToken);

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            if (_isClosed)
            {
                return;
            }

            var isLeaving = _leaving.IsCancellationRequested;
            await _inner.WriteAsync(buffer[..Follow(buffer.Span, stopBetweenFrames: isLeaving)], cancellationToken);
            if (isLeaving && IsBetweenFrames)
            {
                _isClosed = true;
                await _inner.WriteAsync(CloseFrame, cancellationToken);
            }
        }
        finally
        {
            _writing.Release();
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => _inner.FlushAsync(cancellationToken);

    public override void Flush() => _inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Only asynchronously.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Only asynchronously.");

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _registration.Unregister(); // does not wait: the close may be what is being disposed of
        _inner.Dispose();
        base.Dispose(disposing);
    }

    private async Task CloseAsync()
    {
        try
        {
            await WriteAsync(ReadOnlyMemory<byte>.Empty);
            await _inner.FlushAsync();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    /// <summary>How many of the bytes belong to frames; all of them, unless the next frame is not to begin any more.</summary>
    private int Follow(ReadOnlySpan<byte> bytes, bool stopBetweenFrames)
    {
        var at = 0;
        while (at < bytes.Length && !(stopBetweenFrames && IsBetweenFrames))
        {
            if (_payloadLeft > 0)
            {
                var part = (int)Math.Min(_payloadLeft, (ulong)(bytes.Length - at));
                _payloadLeft -= (ulong)part;
                at += part;
                continue;
            }

            _header[_headerLength++] = bytes[at++];
            if (_headerLength >= 2 && _headerLength == HeaderLength(_header[1]))
            {
                _headerLength = 0;
                _payloadLeft = PayloadLength(_header);
            }
        }

        return at;
    }

    private static int HeaderLength(byte second) => 2 + ((second & 0x7F) switch { 126 => 2, 127 => 8, _ => 0 }) + ((second & 0x80) == 0 ? 0 : 4);

    private static ulong PayloadLength(ReadOnlySpan<byte> header) => (header[1] & 0x7F) switch
    {
        126 => BinaryPrimitives.ReadUInt16BigEndian(header[2..]),
        127 => BinaryPrimitives.ReadUInt64BigEndian(header[2..]),
        var length => (ulong)length,
    };
}
