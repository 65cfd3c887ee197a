using System.Buffers;
using System.Collections.Frozen;
using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace OpenPlatform.ServiceDefaults.Redis.InRepo;

/// <summary>
/// <see cref="IRedis"/> over one multiplexed RESP2 connection and a second one for subscriptions. Callers never wait for
/// a server that is away: unanswered calls are bounded by a window, every call by a deadline, and a server that owes answers and is silent loses its
/// connection. It connects in the background and for ever.
/// </summary>
public sealed class RedisClient : IRedis, IAsyncDisposable
{
    /// <summary>How often deadlines and silence are looked at: calls may end this much later than their deadline.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(25);

    /// <summary>An idle connection is asked for a sign of life this often, so that <see cref="IsAvailable"/> tells the truth.</summary>
    private static readonly TimeSpan IdleProbe = TimeSpan.FromSeconds(1);

    /// <summary>Commands that would hold up or change the connection that all callers share.</summary>
    private static readonly FrozenSet<string> NotShared = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "MONITOR", "MULTI", "EXEC", "WATCH", "SELECT", "AUTH", "HELLO",
        "RESET", "QUIT", "CLIENT", "BLPOP", "BRPOP", "BLMOVE", "BLMPOP", "BRPOPLPUSH", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "WAIT");

    private readonly RedisOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly RedisMetrics _metrics;
    private readonly RedisSubscriptions _subscriptions;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<RedisCommand> _queue = Channel.CreateUnbounded<RedisCommand>();
    private readonly Task _connection;
    private readonly Task _watchdog;

    // Calls without an answer, oldest first: the window, and what the watchdog looks at.
    private readonly Lock _gate = new();
    private RedisCommand? _oldest;
    private RedisCommand? _newest;
    private int _unanswered;
    private long _queuedBytes;

    private volatile State _state = State.Starting;
    private volatile Link? _link;

    private enum State { Starting, Ready, Away, Stopped }

    public RedisClient(RedisOptions options, TimeProvider time, ILogger<RedisClient> logger)
    {
        _options = options;
        _time = time;
        _logger = logger;
        _metrics = new RedisMetrics(time, () => Volatile.Read(ref _unanswered));
        _subscriptions = new RedisSubscriptions(options, time, logger, _stopping.Token);
        _connection = Task.Run(ConnectForEverAsync);
        _watchdog = Task.Run(WatchAsync);
    }

    public bool IsAvailable => _state == State.Ready;

    public ValueTask<RedisReply> ExecuteAsync(ReadOnlySpan<RedisArgument> command, CancellationToken cancellationToken = default)
    {
        if (command.IsEmpty || command[0].Text is not { } name)
        {
            throw new ArgumentException("A command starts with its name.", nameof(command));
        }

        if (NotShared.Contains(name))
        {
            throw new ArgumentException($"{name} cannot run on the connection that all callers share.", nameof(command));
        }

        return Refusal(cancellationToken) is { } refusal
            ? ValueTask.FromException<RedisReply>(refusal)
            : Submit(name, RedisCommand.Encode(command), null, cancellationToken);
    }

    public ValueTask<RedisReply> EvaluateAsync(
        RedisScript script, ReadOnlySpan<RedisArgument> keys, ReadOnlySpan<RedisArgument> arguments, CancellationToken cancellationToken = default) =>
        Refusal(cancellationToken) is { } refusal
            ? ValueTask.FromException<RedisReply>(refusal)
            : Submit("EVALSHA", RedisCommand.EncodeScript(script, keys, arguments), script, cancellationToken);

    public IDisposable Subscribe(string channel, Action<string> onMessage) => _subscriptions.Add(channel, onMessage);

    /// <summary>Why a call cannot even be tried, before anything is encoded; null when it can.</summary>
    private Exception? Refusal(CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return new OperationCanceledException(cancellationToken);
        }

        // While the very first connection is being made calls wait for it (up to their deadline): a service that just
        // started is not a service without Redis.
        if (_state is State.Ready or State.Starting)
        {
            return null;
        }

        _metrics.Finished("(none)", _time.GetTimestamp(), 0, "not_connected");
        return new RedisUnavailableException("Redis is not connected.");
    }

    private ValueTask<RedisReply> Submit(string name, (byte[] Buffer, int Length) encoded, RedisScript? script, CancellationToken cancellationToken)
    {
        var now = _time.GetTimestamp();
        var command = RedisCommandPool.Rent();
        command.Start(name, encoded, script, now, _metrics, _options.Tracing ? StartSpan(name) : null);
        if (!TryEnter(command))
        {
            command.TryFail(new RedisUnavailableException($"{_options.Window} calls to Redis wait for their answer already."), "window_full");
            var refused = command.Task;
            command.Release();
            return refused;
        }

        var task = command.Task;
        command.ObserveCancellation(cancellationToken);
        _queue.Writer.TryWrite(command);

        // The connection may have died between the look at the state and the queue; nobody would look at the queue then.
        if (_state is State.Away or State.Stopped)
        {
            FailQueued("Redis is not connected.");
        }

        return task;
    }

    private static Activity? StartSpan(string name)
    {
        var caller = Activity.Current;
        var span = RedisMetrics.Source.StartActivity(name, ActivityKind.Client);
        span?.SetTag("db.system.name", "redis").SetTag("db.operation.name", name);
        Activity.Current = caller; // the span ends on another thread
        return span;
    }

    private async Task ConnectForEverAsync()
    {
        var backoff = new Backoff();
        var said = false;
        for (var attempt = 0; !_stopping.IsCancellationRequested; attempt++)
        {
            var endpoint = _options.Endpoints[attempt % _options.Endpoints.Count];
            try
            {
                var transport = await RedisTransport.ConnectAsync(_options, endpoint, _time, _stopping.Token);
                _metrics.Connected();
                _logger.Connected(endpoint.Host, endpoint.Port);
                backoff = new Backoff();
                said = false;
                await using var link = new Link(this, transport);
                _link = link;
                _state = State.Ready;
                var reason = await link.RunAsync(_stopping.Token);
                _state = State.Away;
                _link = null;
                if (!_stopping.IsCancellationRequested)
                {
                    _logger.Lost(reason);
                    attempt--; // the same server first: most often it is the same that comes back
                }
            }
            catch (RedisUnavailableException e)
            {
                _state = State.Away;
                _metrics.ConnectFailed();
                if (!said)
                {
                    _logger.Away(e.Message); // once per outage, not once per attempt
                    said = true;
                }
            }
            catch (OperationCanceledException)
            {
                break;
            }

            FailQueued("Redis is not connected.");
            await Task.Delay(backoff.Next(), _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _state = State.Stopped;
        FailQueued("The Redis client is stopped.");
    }

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(Tick, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                FailOverdue();
                if (_link is { } link)
                {
                    link.Watch();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private void FailOverdue()
    {
        lock (_gate)
        {
            // Sound under the lock: continuations run elsewhere, and only Leave (which takes it) unlinks.
            for (var command = _oldest; command is not null; command = command.Next)
            {
                if (_time.GetElapsedTime(command.CalledAt) < _options.Deadline)
                {
                    break; // all later ones are younger
                }

                if (!command.IsCompleted)
                {
                    command.TryFail(
                        new RedisUnavailableException($"Redis did not answer {command.Name} within {_options.Deadline.TotalMilliseconds} ms."),
                        "deadline");
                }
            }
        }
    }

    private bool TryEnter(RedisCommand command)
    {
        lock (_gate)
        {
            if (_unanswered >= _options.Window || _queuedBytes + command.Length > _options.MaxQueuedBytes)
            {
                return false;
            }

            _unanswered++;
            _queuedBytes += command.Length;
            command.InWindow = true;
            command.Previous = _newest;
            command.Next = null;
            if (_newest is null)
            {
                _oldest = command;
            }
            else
            {
                _newest.Next = command;
            }

            _newest = command;
            return true;
        }
    }

    private void BytesLeft(int count)
    {
        lock (_gate)
        {
            _queuedBytes -= count;
        }
    }

    private void Leave(RedisCommand command)
    {
        lock (_gate)
        {
            if (command.InWindow)
            {
                command.InWindow = false;
                _unanswered--;
                if (command.Previous is null)
                {
                    _oldest = command.Next;
                }
                else
                {
                    command.Previous.Next = command.Next;
                }

                if (command.Next is null)
                {
                    _newest = command.Previous;
                }
                else
                {
                    command.Next.Previous = command.Previous;
                }

                command.Previous = command.Next = null;
            }
        }

        command.Release();
    }

    private void FailQueued(string reason)
    {
        while (_queue.Reader.TryRead(out var command))
        {
            BytesLeft(command.Length);
            command.TryFail(new RedisUnavailableException(reason), "not_connected");
            Leave(command);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        await _stopping.CancelAsync();
        await Task.WhenAll(_connection, _watchdog);
        await _subscriptions.DisposeAsync();
        _metrics.Dispose();
        _stopping.Dispose();
    }

    /// <summary>One life of the connection: writes what is queued, hands replies to the calls in the order of sending.</summary>
    private sealed class Link(RedisClient client, RedisTransport transport) : IAsyncDisposable
    {
        /// <summary>Bytes gathered before a send: a few TCP segments; a larger command is sent in one piece.</summary>
        private const int BatchBytes = 32 << 10;

        private readonly CancellationTokenSource _broken = new();
        private readonly Queue<RedisCommand> _inFlight = new(); // guarded by itself
        private string? _reason;

        /// <summary>Runs until the connection is of no use; returns why.</summary>
        public async Task<string> RunAsync(CancellationToken stopping)
        {
            using var stop = stopping.UnsafeRegister(static (link, _) => ((Link)link!).Break("stopping"), this);
            var reading = ReadAsync();
            var writing = WriteAsync();
            await Task.WhenAll(reading, writing);
            var reason = _reason ?? "closed";
            while (Next() is { } command)
            {
                command.TryFail(
                    new RedisUnavailableException($"The connection to Redis was lost ({reason}); the command may have run."), "connection_lost");
                client.Leave(command);
            }

            return reason;
        }

        /// <summary>Called every <see cref="Tick"/>.</summary>
        public void Watch()
        {
            var silentSince = transport.LastReceived;
            bool owesAnAnswer;
            lock (_inFlight)
            {
                if (owesAnAnswer = _inFlight.TryPeek(out var oldest))
                {
                    silentSince = Math.Max(silentSince, oldest!.SentAt);
                }
            }

            var silence = client._time.GetElapsedTime(silentSince);
            if (owesAnAnswer && silence > client._options.StallTimeout)
            {
                Break($"no answer for {client._options.StallTimeout.TotalMilliseconds} ms");
            }
            else if (!owesAnAnswer && silence > IdleProbe)
            {
                _ = ProbeAsync();
            }
        }

        private async Task ProbeAsync()
        {
            try
            {
                await client.ExecuteAsync(["PING"]);
            }
            catch (Exception e) when (e is RedisUnavailableException or RedisServerException)
            {
                // The silence rule has dealt with it.
            }
        }

        private async Task WriteAsync()
        {
            var batch = new ArrayBufferWriter<byte>(BatchBytes);
            var queue = client._queue.Reader;
            try
            {
                while (await queue.WaitToReadAsync(_broken.Token))
                {
                    while (!_broken.IsCancellationRequested && batch.WrittenCount < BatchBytes && queue.TryRead(out var command))
                    {
                        Gather(command, batch);
                    }

                    if (batch.WrittenCount > 0)
                    {
                        await transport.SendAsync(batch.WrittenMemory, _broken.Token);
                        batch.ResetWrittenCount();
                        if (batch.Capacity > 4 * BatchBytes)
                        {
                            batch = new ArrayBufferWriter<byte>(BatchBytes); // one large command must not hold its memory for ever
                        }
                    }
                }
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
            {
                Break(e.Message);
            }
        }

        private void Gather(RedisCommand command, ArrayBufferWriter<byte> batch)
        {
            client.BytesLeft(command.Length);
            lock (_inFlight)
            {
                if (command.TrySend(client._time.GetTimestamp()))
                {
                    batch.Write(command.Bytes);
                    _inFlight.Enqueue(command);
                    command.BytesCopied();
                    return;
                }
            }

            client.Leave(command);
        }

        private async Task ReadAsync()
        {
            try
            {
                while (true)
                {
                    var reply = await transport.ReadAsync(_broken.Token);
                    var command = Next() ?? throw new RespProtocolException("The server answered what nobody asked.");
                    if (command.Script is not null && reply.Kind == RedisReplyKind.Error && IsUnknownScript(reply) && command.TryRequeueAsFullScript())
                    {
                        client.Requeued(command);
                        continue;
                    }

                    command.TryComplete(reply, client._time.GetTimestamp());
                    client.Leave(command);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException or RespProtocolException)
            {
                Break(e.Message);
            }
        }

        private static bool IsUnknownScript(RedisReply reply) => reply.AsBytes().AsSpan().StartsWith("NOSCRIPT"u8);

        private RedisCommand? Next()
        {
            lock (_inFlight)
            {
                return _inFlight.TryDequeue(out var command) ? command : null;
            }
        }

        private void Break(string reason)
        {
            Interlocked.CompareExchange(ref _reason, reason, null);
            _broken.Cancel();
        }

        // _broken is not disposed: it has no timer, and the watchdog may come by late.
        public ValueTask DisposeAsync() => transport.DisposeAsync();
    }

    private void Requeued(RedisCommand command)
    {
        lock (_gate)
        {
            _queuedBytes += command.Length;
        }

        _queue.Writer.TryWrite(command);
    }
}
