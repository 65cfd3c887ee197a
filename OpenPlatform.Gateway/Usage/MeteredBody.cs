using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Usage;

/// <summary>
/// The way of a response to the client, with a meter in it. The answer is counted immediately before its last byte goes out: not
/// earlier, because it may break off; not later, because a gateway that dies between the two must not have served unbilled.
/// </summary>
internal sealed class MeteredBody(HttpResponse response, GatewayRequest request, UsageSpool spool, IHttpResponseBodyFeature inner) : Stream, IHttpResponseBodyFeature
{
    private readonly Stream _inner = inner.Stream;
    private long? _left;
    private bool _counted;

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

    /// <summary>Counts the answer, once; what the gateway itself answered is not billed.</summary>
    public void Count()
    {
        if (request.AnsweredByBackend && !_counted && request.Purpose == RequestPurpose.Traffic)
        {
            _counted = true;
            spool.Count(request.Subscription, request.Operation, response.StatusCode);
        }
    }

    /// <summary>The forwarder is done: counts what had no announced length. What the backend broke off is not billed; what the
    /// client no longer wanted is.</summary>
    public void Finish()
    {
        if (!request.AnswerBroken)
        {
            Count();
        }
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Meter(buffer.Length);
        return _inner.WriteAsync(buffer, cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        Meter(count);
        return _inner.WriteAsync(buffer, offset, count, cancellationToken);
    }

    public override void Write(byte[] buffer, int offset, int count)
    {
        Meter(count);
        _inner.Write(buffer, offset, count);
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => _inner.FlushAsync(cancellationToken);

    public override void Flush() => _inner.Flush();

    public Task CompleteAsync()
    {
        Count();
        return inner.CompleteAsync();
    }

    public void DisableBuffering() => inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default) => inner.StartAsync(cancellationToken);

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        inner.SendFileAsync(path, offset, count, cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private void Meter(int count)
    {
        _left ??= response.ContentLength;
        if (_left is { } left)
        {
            _left = left -= count;
            if (left <= 0)
            {
                Count();
            }
        }
    }
}
