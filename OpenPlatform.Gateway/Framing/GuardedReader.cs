using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace OpenPlatform.Gateway.Framing;

/// <summary>
/// What Kestrel reads an HTTP/1 connection through. Kestrel gets to see a request's head only when it is complete and
/// unmistakable; the body is followed to its end, so that the next head is known to begin where Kestrel, too, looks for it. A
/// refused head is replaced by one of ours, and what follows it by the end of the connection: the pipeline answers it as any
/// other refusal. Copies nothing and allocates nothing for an ordinary request.
/// </summary>
internal sealed class GuardedReader(PipeReader inner) : PipeReader
{
    private enum Mode : byte
    {
        /// <summary>The next byte begins a request.</summary>
        Head,

        /// <summary>In a body of known length.</summary>
        Length,

        /// <summary>In a chunked body.</summary>
        Chunked,

        /// <summary>The end of the request is known; Kestrel has not read up to it.</summary>
        Rest,

        /// <summary>No more HTTP: a WebSocket.</summary>
        Open,

        /// <summary>Whatever still comes is not read.</summary>
        Closed,
    }

    /// <summary>Kestrel refuses a request line above 8 KiB and fields above 32 KiB by itself.</summary>
    private const int LongestHead = (8 + 32) << 10;

    private static readonly ReadOnlySequence<byte> Replacement = new("GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n"u8.ToArray());

    private ReadOnlySequence<byte> _buffer;
    private Mode _mode;
    private bool _isHeld;      // Kestrel saw only the first byte of an incomplete head
    private bool _isReplaced;  // Kestrel reads the replacement
    private long _searched;    // bytes of an incomplete head that are known not to hold its end
    private long _headLength;  // while Kestrel reads the head
    private long _cleared;     // bytes from the start of the buffer on that belong to the request under way
    private long _bodyLeft;
    private RequestHead _head;
    private ChunkScanner _chunks;

    /// <summary>True when the request was refused and replaced.</summary>
    public bool IsRefused { get; private set; }

    /// <summary>True when the head of the request is longer than any accepted one.</summary>
    public bool IsTooLong { get; private set; }

    /// <summary>Set when the request under way has reached the pipeline: from then on nobody but the pipeline answers it. False again with the next one.</summary>
    public bool InPipeline { get; set; }

    /// <summary>What the head of the request under way says.</summary>
    public ref readonly RequestHead Request => ref _head;

    /// <summary>From here on the connection is not HTTP/1: the answer was 101.</summary>
    public void Open() => _mode = Mode.Open;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        if (_mode == Mode.Closed)
        {
            return new(new ReadResult(ReadOnlySequence<byte>.Empty, isCanceled: false, isCompleted: true));
        }

        var read = inner.ReadAsync(cancellationToken);
        return read.IsCompletedSuccessfully ? new(Inspect(read.Result)) : InspectAsync(read);
    }

    public override bool TryRead(out ReadResult result)
    {
        if (_mode == Mode.Closed)
        {
            result = new(ReadOnlySequence<byte>.Empty, isCanceled: false, isCompleted: true);
            return true;
        }

        if (!inner.TryRead(out result))
        {
            return false;
        }

        result = Inspect(result);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (_isReplaced || _mode is Mode.Closed)
        {
            _isReplaced = false;
            _mode = Mode.Closed;
            return;
        }

        if (_mode == Mode.Open)
        {
            inner.AdvanceTo(consumed, examined);
            return;
        }

        if (_isHeld)
        {
            _isHeld = false;
            inner.AdvanceTo(_buffer.Start, _buffer.End);
            return;
        }

        var count = _buffer.GetOffset(consumed) - _buffer.GetOffset(_buffer.Start);
        inner.AdvanceTo(consumed, examined);
        if (count > _cleared || (_headLength > 0 && count != _headLength))
        {
            // Kestrel refuses the head for a reason of its own, or sees another end than we do: nothing more is read either way.
            _mode = Mode.Closed;
            return;
        }

        _headLength = 0;
        _cleared -= count;
    }

    public override void CancelPendingRead() => inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> InspectAsync(ValueTask<ReadResult> read) => Inspect(await read);

    private ReadResult Inspect(in ReadResult result)
    {
        _buffer = result.Buffer;
        if (_mode == Mode.Rest && _cleared == 0)
        {
            _mode = Mode.Head;
            _searched = 0;
        }

        if (_mode == Mode.Head && !_buffer.IsEmpty)
        {
            InPipeline = false;
            var end = FindEnd();
            if (end == 0)
            {
                if (IsTooLong)
                {
                    return Refuse(result);
                }

                // One byte starts Kestrel's clock for slow heads.
                _isHeld = true;
                return new(_buffer.Slice(0, 1), result.IsCanceled, result.IsCompleted);
            }

            if (end < 0 || !TryReadHead(end))
            {
                return Refuse(result);
            }

            _headLength = _cleared = end;
            _bodyLeft = _head.BodyLength;
            _chunks = default;
            _mode = _head.Framing switch { BodyFraming.Length => Mode.Length, BodyFraming.Chunked => Mode.Chunked, _ => Mode.Rest };
        }

        if (_mode is Mode.Length or Mode.Chunked)
        {
            ClearBody();
        }

        return result;
    }

    /// <summary>Length of the head; 0 when its end is not there yet; negative when it cannot be one.</summary>
    private long FindEnd()
    {
        var first = _buffer.FirstSpan;
        if (!char.IsAsciiLetter((char)first[0]))
        {
            return -1; // an empty line, a TLS handshake, the rest of something
        }

        if (_buffer.IsSingleSegment)
        {
            var from = (int)Math.Max(0, _searched - 3);
            var at = first[from..].IndexOf("\r\n\r\n"u8);
            if (at >= 0)
            {
                return from + at + 4;
            }
        }
        else
        {
            var reader = new SequenceReader<byte>(_buffer);
            if (reader.TryReadTo(out ReadOnlySequence<byte> _, "\r\n\r\n"u8))
            {
                return reader.Consumed;
            }
        }

        _searched = _buffer.Length;
        IsTooLong = _searched > LongestHead;
        return HasBareLineFeed() ? -1 : 0; // such a head would never be complete for us, but is for others
    }

    private bool HasBareLineFeed()
    {
        var last = (byte)0;
        foreach (var memory in _buffer)
        {
            var span = memory.Span;
            for (int at, from = 0; (at = span[from..].IndexOf((byte)'\n')) >= 0; from += at + 1)
            {
                if ((from + at > 0 ? span[from + at - 1] : last) != '\r')
                {
                    return true;
                }
            }

            last = span.IsEmpty ? last : span[^1];
        }

        return false;
    }

    private bool TryReadHead(long length)
    {
        if (length > LongestHead)
        {
            IsTooLong = true;
            return false;
        }

        if (_buffer.FirstSpan.Length >= length)
        {
            return RequestHead.TryRead(_buffer.FirstSpan[..(int)length], out _head);
        }

        var copy = ArrayPool<byte>.Shared.Rent((int)length);
        _buffer.Slice(0, length).CopyTo(copy);
        var isGood = RequestHead.TryRead(copy.AsSpan(0, (int)length), out _head);
        ArrayPool<byte>.Shared.Return(copy);
        return isGood;
    }

    private ReadResult Refuse(in ReadResult result)
    {
        IsRefused = true;
        _isReplaced = true;
        _head = default;
        inner.AdvanceTo(_buffer.End);
        return new(Replacement, result.IsCanceled, isCompleted: false);
    }

    private void ClearBody()
    {
        if (_mode == Mode.Length)
        {
            var count = Math.Min(_bodyLeft, _buffer.Length - _cleared);
            _cleared += count;
            _bodyLeft -= count;
            _mode = _bodyLeft == 0 ? Mode.Rest : Mode.Length;
            return;
        }

        var chunks = _chunks;
        var taken = chunks.Scan(_buffer.Slice(_cleared));
        if (taken < 0 && _headLength > 0)
        {
            return; // the head is read first, whatever came with it: then this is found again
        }

        _chunks = chunks;
        if (taken < 0)
        {
            _mode = Mode.Closed;
            inner.AdvanceTo(_buffer.End);
            throw new BadHttpRequestException("The chunked body is malformed.");
        }

        _cleared += taken;
        _mode = _chunks.IsDone ? Mode.Rest : Mode.Chunked;
    }
}
