using System.Buffers;

namespace OpenPlatform.Gateway.Resilience;

/// <summary>
/// A request body that can be read again from its start as long as no more than <paramref name="max"/> bytes were read. It passes on what
/// comes as it comes, so that nothing waits for the buffer to fill.
/// </summary>
internal sealed class ReplayBody(Stream inner, int max) : Stream
{
    private byte[]? _kept;
    private int _length;
    private int _position;
    private bool _ended;

    /// <summary>False once more was read than is kept.</summary>
    public bool CanReplay { get; private set; } = true;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The next read begins at the start. Only while <see cref="CanReplay"/> and no read is under way.</summary>
    public void Rewind() => _position = 0;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_position < _length)
        {
            var again = Math.Min(buffer.Length, _length - _position);
            _kept.AsMemory(_position, again).CopyTo(buffer);
            _position += again;
            return again;
        }

        if (_ended)
        {
            return 0;
        }

        var count = await inner.ReadAsync(buffer, cancellationToken);
        if (count > 0 && CanReplay)
        {
            Keep(buffer.Span[..count]);
        }

        _ended = count == 0 && buffer.Length > 0; // an empty read only waits for more

        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Only asynchronously.");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        CanReplay = false;
        Release();
        base.Dispose(disposing);
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (_length + bytes.Length > max)
        {
            CanReplay = false;
            Release();
            return;
        }

        if (_kept is null || _kept.Length < _length + bytes.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Min(max, Math.Max(4096, 2 * (_length + bytes.Length))));
            _kept.AsSpan(0, _length).CopyTo(larger);
            if (_kept is not null)
            {
                ArrayPool<byte>.Shared.Return(_kept);
            }

            _kept = larger;
        }

        bytes.CopyTo(_kept.AsSpan(_length));
        _position = _length += bytes.Length;
    }

    private void Release()
    {
        if (_kept is { } kept)
        {
            _kept = null;
            _position = _length = 0;
            ArrayPool<byte>.Shared.Return(kept);
        }
    }
}
