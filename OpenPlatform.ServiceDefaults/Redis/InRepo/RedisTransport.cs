using System.Buffers;
using System.Net.Security;
using System.Net.Sockets;

namespace OpenPlatform.ServiceDefaults.Redis.InRepo;

/// <summary>A logged-in connection: bytes out, replies in. One reader and one writer at a time.</summary>
internal sealed class RedisTransport : IAsyncDisposable
{
    private readonly Stream _stream;
    private readonly TimeProvider _time;
    private readonly RespReader _reader = new(new RespLimits());
    private byte[] _received = ArrayPool<byte>.Shared.Rent(32 << 10);
    private int _start;
    private int _end;
    private long _lastReceived;

    private RedisTransport(Stream stream, TimeProvider time)
    {
        _stream = stream;
        _time = time;
        _lastReceived = time.GetTimestamp();
    }

    /// <summary>Timestamp (<see cref="TimeProvider.GetTimestamp"/>) of the last bytes from the server.</summary>
    public long LastReceived => Volatile.Read(ref _lastReceived);

    /// <summary>Connects, secures, logs in and selects the database, all within <see cref="RedisOptions.ConnectTimeout"/>.</summary>
    /// <exception cref="RedisUnavailableException">Not reachable, too slow, or refused; the message holds no secret.</exception>
    public static async Task<RedisTransport> ConnectAsync(
        RedisOptions options, (string Host, int Port) endpoint, TimeProvider time, CancellationToken stopping)
    {
        using var timeout = new CancellationTokenSource(options.ConnectTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(stopping, timeout.Token);
        var where = $"Redis at {endpoint.Host}:{endpoint.Port}";
        Stream? stream = null;
        try
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(endpoint.Host, endpoint.Port, linked.Token);
            }
            catch
            {
                socket.Dispose();
                throw;
            }

            stream = new NetworkStream(socket, ownsSocket: true);
            if (options.Tls)
            {
                var secure = new SslStream(stream);
                stream = secure;
                await secure.AuthenticateAsClientAsync(
                    new SslClientAuthenticationOptions
                    {
                        TargetHost = options.TlsHost ?? endpoint.Host,
                        RemoteCertificateValidationCallback = options.CertificateValidation,
                    },
                    linked.Token);
            }

            var transport = new RedisTransport(stream, time);
            try
            {
                await transport.LogInAsync(options, linked.Token);
            }
            catch
            {
                await transport.DisposeAsync();
                throw;
            }

            stream = null;
            return transport;
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            throw new RedisUnavailableException($"{where} did not accept a connection within {options.ConnectTimeout.TotalSeconds} s.");
        }
        catch (RedisServerException e)
        {
            throw new RedisUnavailableException($"{where} refused the log-in: {e.Message}", e);
        }
        catch (Exception e) when (e is SocketException or IOException or System.Security.Authentication.AuthenticationException or RespProtocolException)
        {
            throw new RedisUnavailableException($"{where} is not reachable: {e.Message}", e);
        }
        finally
        {
            if (stream is not null)
            {
                await stream.DisposeAsync();
            }
        }
    }

    public ValueTask SendAsync(ReadOnlyMemory<byte> commands, CancellationToken cancellationToken) =>
        _stream.WriteAsync(commands, cancellationToken);

    /// <summary>The next reply; completes synchronously while received bytes still hold one.</summary>
    /// <exception cref="IOException">The connection ended.</exception>
    public ValueTask<RedisReply> ReadAsync(CancellationToken cancellationToken) =>
        TryReadBuffered() is { } reply ? ValueTask.FromResult(reply) : ReceiveAsync(cancellationToken);

    private RedisReply? TryReadBuffered()
    {
        if (_start == _end)
        {
            return null;
        }

        _start += _reader.Read(_received.AsSpan(_start.._end), out var reply);
        return reply;
    }

    private async ValueTask<RedisReply> ReceiveAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            // Everything received has been taken by the reader, so the buffer starts anew.
            _start = 0;
            _end = await _stream.ReadAsync(_received, cancellationToken);
            if (_end == 0)
            {
                throw new EndOfStreamException("The server closed the connection.");
            }

            Volatile.Write(ref _lastReceived, _time.GetTimestamp());
            if (TryReadBuffered() is { } reply)
            {
                return reply;
            }
        }
    }

    private async Task LogInAsync(RedisOptions options, CancellationToken cancellationToken)
    {
        if (options.Password is { } password)
        {
            await CallAsync(options.User is { } user ? ["AUTH", user, password] : ["AUTH", password], cancellationToken);
        }

        if (options.Database != 0)
        {
            await CallAsync(["SELECT", options.Database], cancellationToken);
        }

        // Proves that the log-in suffices and that the server answers at all (a stopped one still accepts connections).
        await CallAsync(["PING"], cancellationToken);
    }

    private async Task CallAsync(RedisArgument[] command, CancellationToken cancellationToken)
    {
        var (buffer, length) = RedisCommand.Encode(command);
        try
        {
            await SendAsync(buffer.AsMemory(0, length), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true); // may hold the password
        }

        var reply = await ReadAsync(cancellationToken);
        if (reply.Kind == RedisReplyKind.Error)
        {
            throw new RedisServerException(reply.AsString()!);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();

        // Not returned to the pool: a read that is being torn down may still write into it.
        _received = [];
        _start = _end = 0;
    }
}
