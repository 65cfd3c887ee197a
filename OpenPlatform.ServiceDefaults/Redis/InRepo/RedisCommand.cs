using System.Buffers;
using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace OpenPlatform.ServiceDefaults.Redis.InRepo;

/// <summary>
/// One call on its way: its bytes, its caller's promise and its place in the window. Pooled; it goes back when both sides have
/// let go of it: the caller by taking the result, the connection by receiving the reply or dying.
/// </summary>
internal sealed class RedisCommand : IValueTaskSource<RedisReply>
{
    private const int Queued = 0;
    private const int Sent = 1;
    private const int Completed = 2;

    private ManualResetValueTaskSourceCore<RedisReply> _promise = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _cancellation;
    private int _state;
    private int _holders;
    private byte[]? _buffer;
    private Activity? _activity;
    private RedisMetrics _metrics = null!;

    /// <summary>Neighbours in the list of unanswered commands, oldest first; guarded by the client's lock.</summary>
    public RedisCommand? Previous { get; set; }

    public RedisCommand? Next { get; set; }

    public bool InWindow { get; set; }

    /// <summary>For metrics: the command's name, upper case.</summary>
    public string Name { get; private set; } = "";

    public RedisScript? Script { get; private set; }

    public int Length { get; private set; }

    /// <summary>Timestamps of the call and of the moment its bytes left.</summary>
    public long CalledAt { get; private set; }

    public long SentAt { get; private set; }

    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, Length);

    public bool IsCompleted => Volatile.Read(ref _state) == Completed;

    public ValueTask<RedisReply> Task => new(this, _promise.Version);

    public static (byte[] Buffer, int Length) Encode(ReadOnlySpan<RedisArgument> command)
    {
        var writer = new RespWriter(256);
        writer.Header(command.Length);
        foreach (ref readonly var argument in command)
        {
            writer.Argument(argument);
        }

        return (writer.Detach(), writer.Length);
    }

    public static (byte[] Buffer, int Length) EncodeScript(RedisScript script, ReadOnlySpan<RedisArgument> keys, ReadOnlySpan<RedisArgument> arguments)
    {
        var writer = new RespWriter(256);
        writer.Header(3 + keys.Length + arguments.Length);
        writer.Bulk("EVALSHA"u8);
        writer.Bulk(script.Sha1);
        writer.Argument(keys.Length);
        foreach (ref readonly var key in keys)
        {
            writer.Argument(key);
        }

        foreach (ref readonly var argument in arguments)
        {
            writer.Argument(argument);
        }

        return (writer.Detach(), writer.Length);
    }

    public void Start(
        string name, (byte[] Buffer, int Length) encoded, RedisScript? script, long now, RedisMetrics metrics, Activity? activity)
    {
        _promise.Reset();
        _state = Queued;
        _holders = 2;
        (_buffer, Length) = encoded;
        Name = name;
        Script = script;
        CalledAt = now;
        SentAt = 0;
        _metrics = metrics;
        _activity = activity;
    }

    /// <summary>Ends the call when the caller gives up. Until the bytes left, the command then never runs.</summary>
    public void ObserveCancellation(CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
        {
            _cancellation = cancellationToken.UnsafeRegister(
                static (state, token) => ((RedisCommand)state!).TryFail(new OperationCanceledException(token), "cancelled"), this);
        }
    }

    /// <summary>False when the caller has given up already: the bytes must not be sent.</summary>
    public bool TrySend(long now)
    {
        SentAt = now;
        return Interlocked.CompareExchange(ref _state, Sent, Queued) == Queued;
    }

    /// <summary>The server does not know the script: makes this the full EVAL, to be sent again. False when the caller has given up.</summary>
    public bool TryRequeueAsFullScript()
    {
        // *N CRLF $7 CRLF EVALSHA CRLF $40 CRLF <sha> CRLF rest  →  *N CRLF $4 CRLF EVAL CRLF $n CRLF <source> CRLF rest
        var head = Bytes.IndexOf((byte)'\n') + 1;
        const int Skipped = 4 + 9 + 5 + 42; // "$7\r\n" "EVALSHA\r\n" "$40\r\n" "<40 digits>\r\n"
        var writer = new RespWriter(Length + Script!.Source.Length + 64);
        writer.Raw(Bytes[..head]);
        writer.Bulk("EVAL"u8);
        writer.Bulk(Script.Source);
        writer.Raw(Bytes[(head + Skipped)..]);
        ArrayPool<byte>.Shared.Return(_buffer!);
        (_buffer, Length) = (writer.Detach(), writer.Length);
        Script = null;
        return Interlocked.CompareExchange(ref _state, Queued, Sent) == Sent;
    }

    /// <summary>Gives the buffer back early; scripts keep theirs, because they may have to be sent again.</summary>
    public void BytesCopied()
    {
        if (Script is null)
        {
            ReturnBuffer();
        }
    }

    public void TryComplete(RedisReply reply, long now)
    {
        if (Interlocked.Exchange(ref _state, Completed) == Completed)
        {
            return;
        }

        var failed = reply.Kind == RedisReplyKind.Error;
        Report(now, failed ? "server_error" : null);
        if (failed)
        {
            _promise.SetException(new RedisServerException(reply.AsString()!));
        }
        else
        {
            _promise.SetResult(reply);
        }
    }

    /// <param name="reason">Value of the metric's error.type: a closed set.</param>
    public void TryFail(Exception exception, string reason)
    {
        if (Interlocked.Exchange(ref _state, Completed) != Completed)
        {
            Report(now: 0, reason);
            _promise.SetException(exception);
        }
    }

    /// <summary>The connection's side lets go.</summary>
    public void Release()
    {
        ReturnBuffer();
        LetGo();
    }

    RedisReply IValueTaskSource<RedisReply>.GetResult(short token)
    {
        // Waits for a cancellation callback that runs right now, so that it cannot meet this object's next life.
        _cancellation.Dispose();
        _cancellation = default;
        try
        {
            return _promise.GetResult(token);
        }
        finally
        {
            LetGo();
        }
    }

    ValueTaskSourceStatus IValueTaskSource<RedisReply>.GetStatus(short token) => _promise.GetStatus(token);

    void IValueTaskSource<RedisReply>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _promise.OnCompleted(continuation, state, token, flags);

    private void Report(long now, string? error)
    {
        _metrics.Finished(Name, CalledAt, now, error);
        if (_activity is { } activity)
        {
            _activity = null;
            if (error is not null)
            {
                activity.SetStatus(ActivityStatusCode.Error);
                activity.SetTag("error.type", error);
            }

            activity.Stop();
        }
    }

    private void ReturnBuffer()
    {
        if (_buffer is { } buffer)
        {
            _buffer = null;
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void LetGo()
    {
        if (Interlocked.Decrement(ref _holders) == 0)
        {
            RedisCommandPool.Return(this);
        }
    }
}

/// <summary>Commands that nobody holds.</summary>
internal static class RedisCommandPool
{
    private const int Kept = 1024;

    private static readonly System.Collections.Concurrent.ConcurrentQueue<RedisCommand> Free = new();
    private static int _count;

    public static RedisCommand Rent()
    {
        if (Free.TryDequeue(out var command))
        {
            Interlocked.Decrement(ref _count);
            return command;
        }

        return new RedisCommand();
    }

    public static void Return(RedisCommand command)
    {
        if (Volatile.Read(ref _count) < Kept)
        {
            Interlocked.Increment(ref _count);
            Free.Enqueue(command);
        }
    }
}
