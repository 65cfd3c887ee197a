using System.Net.Sockets;

namespace OpenPlatform.Gateway.Forwarding.Direct;

/// <summary>Why an exchange was ended from outside.</summary>
internal enum AbortReason
{
    None,

    /// <summary>The client has gone.</summary>
    ClientLeft,

    /// <summary>The deadline of the try has passed.</summary>
    Late,

    /// <summary>Nothing has moved for the idle timeout.</summary>
    Idle,

    /// <summary>The instance is frozen, and somebody else can answer.</summary>
    Silenced,
}

/// <summary>
/// One connection to an instance and its two buffers. It carries one exchange at a time, and whoever ends an exchange from outside names its
/// number: what comes too late meets the number of the next one and does nothing.
/// </summary>
internal sealed class DirectConnection(Socket socket) : IDisposable
{
    private const int UsualAnswer = 8 << 10;
    private const int LargeRead = 64 << 10;

    /// <summary>As much as HttpClient takes by default.</summary>
    private const int LongestHead = 64 << 10;

    /// <summary>Apart by more exchanges than a connection carries.</summary>
    private const long Apart = 1L << 28;

    private static long _connections;

    private byte[] _received = new byte[UsualAnswer];
    private int _start;
    private int _end;

    // Even: idle; odd: the number of the exchange under way, which no exchange of another connection has; negative: ended for that reason.
    private long _state = Interlocked.Add(ref _connections, Apart);

    // Whoever moves something only says so; when, is the sweep's to say. A time noted here would be as old as the last sweep, and a sweep
    // that came late, because the gateway was frozen or had no thread to spare, would take that for the silence of who has just spoken.
    private bool _moved = true;
    private long _movedAt;
    private bool _waitsForClient;

    public RequestHeadBuffer Request { get; } = new();

    public AnswerHead Answer { get; } = new();

    /// <summary>Milliseconds without progress after which the exchange is ended.</summary>
    public long IdleLimit { get; set; }

    /// <summary>True until the head of the answer, where the request can be given to another instance.</summary>
    public bool MayBeAbandoned { get; set; }

    /// <summary>True while the client is slower than the instance: its silence is not the instance's.</summary>
    public bool WaitsForClient
    {
        get => Volatile.Read(ref _waitsForClient);
        set => Volatile.Write(ref _waitsForClient, value);
    }

    public AbortReason Aborted => Volatile.Read(ref _state) is < 0 and var reason ? (AbortReason)(-reason) : AbortReason.None;

    /// <summary>The number of the exchange under way; null: there is none.</summary>
    public long? Exchange => Volatile.Read(ref _state) is var state && (state & 1) != 0 && state > 0 ? state : null;

    /// <summary>What has come and was not taken.</summary>
    public ReadOnlyMemory<byte> Buffered => _received.AsMemory(_start, _end - _start);

    /// <summary>The same, to be changed in place.</summary>
    public Span<byte> BufferedSpan => _received.AsSpan(_start, _end - _start);

    /// <returns>The number of the exchange.</returns>
    public long Begin()
    {
        Moved();
        return Interlocked.Increment(ref _state);
    }

    /// <summary>False when somebody has ended the exchange.</summary>
    public bool TryEnd(long exchange)
    {
        MayBeAbandoned = false;
        Shrink();
        return Interlocked.CompareExchange(ref _state, exchange + 1, exchange) == exchange;
    }

    /// <summary>Ends this exchange, and no other.</summary>
    public void Abort(long exchange, AbortReason reason)
    {
        if (Interlocked.CompareExchange(ref _state, -(long)reason, exchange) == exchange)
        {
            socket.Dispose();
        }
    }

    /// <summary>Ends the exchange under way. For those who are unregistered before it ends.</summary>
    public void Abort(AbortReason reason)
    {
        if (Exchange is { } exchange)
        {
            Abort(exchange, reason);
        }
    }

    public void Moved() => Volatile.Write(ref _moved, true);

    /// <summary>Milliseconds for which nothing has moved, counted from the sweep that saw the last movement. For the sweep, which is alone.</summary>
    public long StillFor(long now)
    {
        if (Volatile.Read(ref _moved))
        {
            Volatile.Write(ref _moved, false);
            _movedAt = now;
        }

        return now - _movedAt;
    }

    /// <exception cref="SocketException">The connection is broken, or the exchange was ended.</exception>
    public async ValueTask SendRestAsync(int sent)
    {
        while (sent < Request.Length)
        {
            sent += await socket.SendAsync(Request.Bytes[sent..], SocketFlags.None);
        }
    }

    /// <summary>Sends the head; nearly always at once.</summary>
    public ValueTask SendAsync()
    {
        var sending = socket.SendAsync(Request.Bytes, SocketFlags.None);
        return !sending.IsCompletedSuccessfully ? AwaitAsync(sending)
            : sending.Result is var sent && sent == Request.Length ? default
            : SendRestAsync(sent);

        async ValueTask AwaitAsync(ValueTask<int> first) => await SendRestAsync(await first);
    }

    /// <summary>Takes in what comes next, behind what was not taken yet.</summary>
    /// <param name="wanted">Bytes that are still expected; more than usual make the buffer larger for the time being.</param>
    /// <returns>The receipt of at least one byte; 0: the end.</returns>
    public ValueTask<int> ReceiveAsync(long wanted = 0)
    {
        if (_start == _end)
        {
            _start = _end = 0;
            if (wanted > _received.Length && _received.Length < LargeRead)
            {
                _received = new byte[LargeRead];
            }
        }
        else if (_end == _received.Length)
        {
            MakeRoom();
        }

        return socket.ReceiveAsync(_received.AsMemory(_end), SocketFlags.None);
    }

    /// <summary>Takes the result of <see cref="ReceiveAsync"/>.</summary>
    public void Received(int count)
    {
        _end += count;
        Moved();
    }

    public void Take(int count) => _start += count;

    /// <summary>True when the other side has closed it, or says something although nobody asked.</summary>
    public bool IsStale()
    {
        try
        {
            return _end != _start || socket.Poll(0, SelectMode.SelectRead);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return true;
        }
    }

    public void Dispose() => socket.Dispose();

    private void MakeRoom()
    {
        var unread = _end - _start;
        if (unread >= LongestHead)
        {
            throw new InvalidDataException("The head of the answer is too long.");
        }

        var larger = unread > _received.Length / 2 ? new byte[_received.Length * 2] : _received;
        _received.AsSpan(_start, unread).CopyTo(larger);
        (_received, _start, _end) = (larger, 0, unread);
    }

    private void Shrink()
    {
        if (_received.Length > UsualAnswer && _start == _end)
        {
            _received = new byte[UsualAnswer];
            _start = _end = 0;
        }
    }
}
