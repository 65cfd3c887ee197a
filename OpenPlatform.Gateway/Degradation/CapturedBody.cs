using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace OpenPlatform.Gateway.Degradation;

/// <summary>The way of a response to the client, with a copy taken of what passes, up to <paramref name="max"/> bytes.</summary>
internal sealed class CapturedBody(IHttpResponseBodyFeature inner, CachedAnswer answer, int max) : Stream, IHttpResponseBodyFeature
{
    private readonly Stream _inner = inner.Stream;
    private readonly MemoryStream _copy = new();
    private bool _tooLarge;

    /// <summary>What was captured, to be kept; null when it was larger than allowed.</summary>
    public CachedAnswer? Answer => _tooLarge ? null : answer with { Body = _copy.ToArray() };

    public Stream Stream => this;

    public PipeWriter Writer => inner.Writer;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Copy(buffer.Span);
        return _inner.WriteAsync(buffer, cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count)
    {
        Copy(buffer.AsSpan(offset, count));
        _inner.Write(buffer, offset, count);
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => _inner.FlushAsync(cancellationToken);

    public override void Flush() => _inner.Flush();

    public Task CompleteAsync() => inner.CompleteAsync();

    public void DisableBuffering() => inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default) => inner.StartAsync(cancellationToken);

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        _tooLarge = true; // it does not pass here
        return inner.SendFileAsync(path, offset, count, cancellationToken);
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private void Copy(ReadOnlySpan<byte> bytes)
    {
        if (_tooLarge || _copy.Length + bytes.Length > max)
        {
            _tooLarge = true;
            _copy.SetLength(0);
            return;
        }

        _copy.Write(bytes);
    }
}
