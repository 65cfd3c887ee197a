using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;

namespace OpenPlatform.Gateway.Framing;

/// <summary>
/// Writes what goes to a client straight to its socket: a flush is the system call, where the pipe of the platform's transport would take the bytes over
/// to a loop that sends them. That pipe stays behind it, unused, and ends the connection.
/// </summary>
/// <remarks>One writer at a time, as for every pipe. A flush that is given up waits no longer; what it had to send is sent all the same.</remarks>
internal sealed class SocketWriter(Socket socket, PipeWriter transport) : PipeWriter
{
    /// <summary>A head and a small body.</summary>
    private const int Usual = 4 << 10;

    /// <summary>A piece of a large body, and its head.</summary>
    private const int Large = 72 << 10;

    private byte[] _bytes = [];
    private int _length;
    private Task _sending = Task.CompletedTask; // the last one that did not end at once
    private TaskCompletionSource<FlushResult>? _waiting;
    private bool _isBroken;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _length;

    /// <summary>Ends when nothing is left to be sent.</summary>
    public Task Sent => _sending;

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (_bytes.Length - _length < Math.Max(sizeHint, 1))
        {
            MakeRoom(sizeHint);
        }

        return _bytes.AsMemory(_length);
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bytes, (uint)(_bytes.Length - _length), nameof(bytes));
        _length += bytes;
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (_length > 0 && !Send())
        {
            return WaitAsync(cancellationToken);
        }

        return new(new FlushResult(isCanceled: false, isCompleted: _isBroken));
    }

    public override void CancelPendingFlush() => _waiting?.TrySetResult(new(isCanceled: true, isCompleted: _isBroken));

    public override void Complete(Exception? exception = null)
    {
        if (_length > 0 && exception is null)
        {
            Send();
        }

        Drop();
        if (_sending.IsCompleted)
        {
            transport.Complete(exception);
        }
        else
        {
            _ = _sending.ContinueWith(_ => transport.Complete(exception), TaskScheduler.Default);
        }
    }

    public override async ValueTask CompleteAsync(Exception? exception = null)
    {
        Complete(exception);
        await _sending;
    }

    /// <returns>True when all was sent, or the connection is broken; false: <see cref="_sending"/> goes on.</returns>
    private bool Send()
    {
        if (_isBroken)
        {
            Drop();
            return true;
        }

        var (bytes, length) = (_bytes, _length);
        if (!_sending.IsCompleted)
        {
            (_bytes, _length) = ([], 0);
            _sending = SendAfterAsync(_sending, bytes, length);
            return false;
        }

        try
        {
            var sending = socket.SendAsync(bytes.AsMemory(0, length), SocketFlags.None);
            if (!sending.IsCompletedSuccessfully)
            {
                (_bytes, _length) = ([], 0);
                _sending = SendRestAsync(sending, bytes, length);
            }
            else if (sending.Result is var sent && sent == length)
            {
                Drop();
            }
            else
            {
                (_bytes, _length) = ([], 0);
                _sending = SendRestAsync(new(sent), bytes, length);
            }
        }
        catch (ObjectDisposedException)
        {
            Break();
            Drop();
        }

        return _sending.IsCompleted;
    }

    private async Task SendAfterAsync(Task before, byte[] bytes, int length)
    {
        await before;
        await SendRestAsync(new(0), bytes, length);
    }

    /// <summary>Never throws: a broken connection is told by the next flush, and by whoever reads it.</summary>
    private async Task SendRestAsync(ValueTask<int> sending, byte[] bytes, int length)
    {
        try
        {
            for (var sent = await sending; sent < length && !_isBroken; sent += await socket.SendAsync(bytes.AsMemory(sent, length - sent), SocketFlags.None))
            {
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            Break();
        }

        ArrayPool<byte>.Shared.Return(bytes);
    }

    private async ValueTask<FlushResult> WaitAsync(CancellationToken cancellationToken)
    {
        var waiting = _waiting = new(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            var first = await Task.WhenAny(_sending, waiting.Task).WaitAsync(cancellationToken);
            return first == waiting.Task ? await waiting.Task : new FlushResult(isCanceled: false, isCompleted: _isBroken);
        }
        finally
        {
            _waiting = null;
        }
    }

    /// <summary>The transport ends the connection as after a failed write of its own: it may be waiting for room to read into, and would not notice.</summary>
    private void Break()
    {
        _isBroken = true;
        transport.Complete();
    }

    private void MakeRoom(int sizeHint)
    {
        var larger = ArrayPool<byte>.Shared.Rent(_bytes.Length == 0 ? Math.Max(sizeHint, Usual) : Math.Max(_length + sizeHint, _length < Large ? Large : _length * 2));
        _bytes.AsSpan(0, _length).CopyTo(larger);
        var length = _length;
        Drop();
        (_bytes, _length) = (larger, length);
    }

    private void Drop()
    {
        if (_bytes.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
        }

        (_bytes, _length) = ([], 0);
    }
}
