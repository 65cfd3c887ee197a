using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Framing;

/// <summary>
/// What Kestrel writes an HTTP/1 connection through. A request that Kestrel refuses by itself (a request line, a head or a host that it does not
/// take, a head that comes too slowly) never reaches the pipeline, and its answer has no content: here it gets that of a refusal. Everything else
/// passes as it is.
/// </summary>
internal sealed class GuardedWriter(PipeWriter inner, GuardedReader reader, EarlyRefusals refusals, EndPoint? client) : PipeWriter
{
    /// <summary>Kestrel's own answers are four short lines.</summary>
    private const int LongestOwn = 256;

    private Memory<byte> _memory;

    private static ReadOnlySpan<byte> NoContent => "\r\nContent-Length: 0\r\n"u8;

    public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

    public override long UnflushedBytes => inner.UnflushedBytes;

    public override Memory<byte> GetMemory(int sizeHint = 0) => _memory = inner.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void Advance(int bytes)
    {
        // While a request is in the pipeline, what is written is an answer of ours or of a backend, whatever it looks like.
        if (bytes <= LongestOwn && !reader.InPipeline && RefusalOf(_memory.Span[..bytes]) is var refusal and not Refusal.None)
        {
            var whole = WithContent(_memory.Span[..bytes], refusal);
            inner.Write(whole);
            return;
        }

        inner.Advance(bytes);
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => inner.FlushAsync(cancellationToken);

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default) => inner.WriteAsync(source, cancellationToken);

    public override void CancelPendingFlush() => inner.CancelPendingFlush();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

    /// <summary>What Kestrel has refused with these bytes; <see cref="Refusal.None"/> when they are anything else than a whole head without content.</summary>
    private static Refusal RefusalOf(ReadOnlySpan<byte> head)
    {
        if (!head.StartsWith("HTTP/1.1 4"u8) || !head.EndsWith("\r\n\r\n"u8) || head.IndexOf(NoContent) < 0)
        {
            return Refusal.None;
        }

        var status = head.Slice(9, 3);
        return status.SequenceEqual("400"u8) ? Refusal.MalformedRequest
            : status.SequenceEqual("408"u8) ? Refusal.RequestHeadTimeout
            : status.SequenceEqual("414"u8) ? Refusal.RequestLineTooLong
            : status.SequenceEqual("431"u8) ? Refusal.RequestHeadTooLarge
            : Refusal.None;
    }

    private byte[] WithContent(ReadOnlySpan<byte> head, Refusal refusal)
    {
        var id = Guid.NewGuid().ToString("N");
        var content = refusals.Content(refusal, id, client);
        var at = head.IndexOf(NoContent);
        return
        [
            .. head[..at],
            .. Encoding.ASCII.GetBytes($"\r\nContent-Type: {RefusalWriter.ContentType}\r\nCache-Control: no-store\r\nX-Request-Id: {id}\r\nContent-Length: {content.Length}\r\n"),
            .. head[(at + NoContent.Length)..],
            .. content,
        ];
    }
}
