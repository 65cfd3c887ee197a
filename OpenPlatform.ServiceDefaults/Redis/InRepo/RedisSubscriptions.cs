using System.Buffers;
using Microsoft.Extensions.Logging;

namespace OpenPlatform.ServiceDefaults.Redis.InRepo;

/// <summary>The second connection: it exists from the first subscription on, and asks for every channel again after each reconnect.</summary>
internal sealed class RedisSubscriptions(RedisOptions options, TimeProvider time, ILogger logger, CancellationToken stopping) : IAsyncDisposable
{
    /// <summary>A silent connection is asked for a sign of life after this time, and given up after twice of it.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Action<string>[]> _handlers = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _changed = new(0, 1);
    private Task? _running;

    public IDisposable Add(string channel, Action<string> onMessage)
    {
        lock (_gate)
        {
            _handlers[channel] = [.. _handlers.GetValueOrDefault(channel, []), onMessage];
            _running ??= Task.Run(RunAsync, CancellationToken.None);
            SayChanged();
        }

        return new Subscription(this, channel, onMessage);
    }

    private void Remove(string channel, Action<string> onMessage)
    {
        lock (_gate)
        {
            var left = _handlers.GetValueOrDefault(channel, []).ToList();
            left.Remove(onMessage);
            if (left.Count > 0)
            {
                _handlers[channel] = [.. left];
            }
            else
            {
                _handlers.Remove(channel);
            }

            SayChanged();
        }
    }

    private void SayChanged()
    {
        if (_changed.CurrentCount == 0)
        {
            _changed.Release();
        }
    }

    private async Task RunAsync()
    {
        var backoff = new Backoff();
        for (var attempt = 0; !stopping.IsCancellationRequested; attempt++)
        {
            try
            {
                await using var transport = await RedisTransport.ConnectAsync(
                    options, options.Endpoints[attempt % options.Endpoints.Count], time, stopping);
                using var broken = CancellationTokenSource.CreateLinkedTokenSource(stopping);
                var reading = ReadAsync(transport, broken.Token);
                var writing = KeepSubscribedAsync(transport, broken.Token);
                await Task.WhenAny(reading, writing);
                await broken.CancelAsync();
                await Task.WhenAll(reading, writing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                backoff = new Backoff();
                attempt--;
            }
            catch (RedisUnavailableException)
            {
                // The command connection logs the outage; it is the same server.
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.Delay(backoff.Next(), time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Brings the server's list of our channels up to ours, now and after each change; asks for life when it is quiet.</summary>
    private async Task KeepSubscribedAsync(RedisTransport transport, CancellationToken cancellationToken)
    {
        var subscribed = new HashSet<string>(StringComparer.Ordinal);
        while (true)
        {
            string[] wanted;
            lock (_gate)
            {
                wanted = [.. _handlers.Keys];
            }

            foreach (var channel in wanted.Where(subscribed.Add))
            {
                await SendAsync(transport, ["SUBSCRIBE", channel], cancellationToken);
            }

            foreach (var channel in subscribed.Except(wanted).ToArray())
            {
                subscribed.Remove(channel);
                await SendAsync(transport, ["UNSUBSCRIBE", channel], cancellationToken);
            }

            var heard = transport.LastReceived;
            if (!await _changed.WaitAsync(Silence, cancellationToken) && transport.LastReceived == heard)
            {
                await SendAsync(transport, ["PING"], cancellationToken);
                using var wait = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                var deadline = time.GetTimestamp();
                while (transport.LastReceived == heard)
                {
                    if (time.GetElapsedTime(deadline) > Silence)
                    {
                        throw new RedisUnavailableException("The subscription connection is silent.");
                    }

                    await Task.Delay(TimeSpan.FromMilliseconds(100), time, cancellationToken);
                }
            }
        }
    }

    private async Task ReadAsync(RedisTransport transport, CancellationToken cancellationToken)
    {
        while (true)
        {
            // ["message", channel, payload]; confirmations and pongs have other first words.
            var reply = await transport.ReadAsync(cancellationToken);
            if (reply.Kind == RedisReplyKind.Array && reply.Items is [{ Kind: RedisReplyKind.Bulk } word, { Kind: RedisReplyKind.Bulk } channel, { Kind: RedisReplyKind.Bulk } payload]
                && word.AsBytes().AsSpan().SequenceEqual("message"u8))
            {
                Deliver(channel.AsString()!, payload.AsString()!);
            }
        }
    }

    private void Deliver(string channel, string message)
    {
        Action<string>[] handlers;
        lock (_gate)
        {
            handlers = _handlers.GetValueOrDefault(channel, []);
        }

        foreach (var handler in handlers)
        {
            try
            {
                handler(message);
            }
#pragma warning disable CA1031 // A handler's failure is its own: the others and the connection go on.
            catch (Exception e)
#pragma warning restore CA1031
            {
                logger.HandlerFailed(e, channel);
            }
        }
    }

    private static async Task SendAsync(RedisTransport transport, RedisArgument[] command, CancellationToken cancellationToken)
    {
        var (buffer, length) = RedisCommand.Encode(command);
        try
        {
            await transport.SendAsync(buffer.AsMemory(0, length), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_running is { } running)
        {
            await running;
        }

        _changed.Dispose();
    }

    private sealed class Subscription(RedisSubscriptions owner, string channel, Action<string> onMessage) : IDisposable
    {
        private int _disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                owner.Remove(channel, onMessage);
            }
        }
    }
}
