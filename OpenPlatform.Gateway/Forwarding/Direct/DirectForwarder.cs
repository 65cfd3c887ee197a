using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Instances;
using Yarp.ReverseProxy.Forwarder;

namespace OpenPlatform.Gateway.Forwarding.Direct;

/// <summary>
/// Carries the commonest request, HTTP/1.1 without a body to an instance without TLS, from Kestrel to a socket and back without HttpClient in
/// between (docs/adr/0011). Everything else is YARP's, and what is told of an end is told in YARP's words.
/// </summary>
internal sealed class DirectForwarder : IDisposable
{
    /// <summary>Bytes per second, Kestrel's own <c>MinResponseDataRate</c>; it gives credit for what the client has read before, this does not.</summary>
    private const int LeastClientPace = 240;

    /// <summary>What a sweep that came late counts for at most: a gateway that was frozen, or had no thread to spare, did not hear what was said meanwhile.</summary>
    private const long MostBetweenSweeps = 200;

    private static readonly TimeSpan SweepEvery = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<DirectConnections, bool> _inUse = new();
    private readonly TimeSpan _connectTimeout;
    private readonly TimeProvider _time;
    private readonly Lock _sweeping = new();
    private readonly ITimer _sweep;
    private long _sweptAt;
    private long _heard;

    public DirectForwarder(IOptions<ForwardingOptions> options, TimeProvider time)
    {
        _connectTimeout = options.Value.ConnectTimeout;
        _time = time;
        _sweptAt = time.GetTimestamp();
        _sweep = time.CreateTimer(static forwarder => ((DirectForwarder)forwarder!).Sweep(), this, SweepEvery, SweepEvery);
    }

    /// <summary>Those that have connections.</summary>
    public IEnumerable<DirectConnections> InUse => _inUse.Keys;

    /// <summary>True for the requests it is made for. A recorded span needs those of HttpClient below it.</summary>
    public static bool Takes(HttpContext context, GatewayRequest request) =>
        !request.HasBody
        && request.Backend.Model.Protocol is null or BackendProtocol.Http1
        && Activity.Current is null or { IsAllDataRequested: false, Recorded: false }
        && !HttpMethods.IsConnect(context.Request.Method)
        && context.Request.Headers is { Upgrade.Count: 0, TE.Count: 0 } headers && !headers.ContainsKey(HeaderNames.Expect);

    /// <summary>The same of the instance.</summary>
    public static bool Reaches(Instance instance) => instance.Config.Address.Scheme == Uri.UriSchemeHttp;

    /// <summary>Asks the instance and passes its answer on.</summary>
    /// <param name="mayBeAbandoned">If the instance turns out to be frozen, another one can answer.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<ForwarderError> SendAsync(HttpContext context, GatewayRequest request, Instance instance, bool mayBeAbandoned)
    {
        var connections = instance.Connections;
        var client = request.Client;
        var connection = connections.Take(surely: !request.MayRepeat);
        for (var isFresh = connection is null; ; isFresh = true)
        {
            if (connection is null)
            {
                try
                {
                    connection = await ConnectAsync(context, request, connections);
                }
                catch (Exception e) when (e is SocketException or OperationCanceledException)
                {
                    return Failed(request, e, e is SocketException ? ForwarderError.Request : ForwarderError.RequestCanceled, connect: true);
                }
            }

            var exchange = connection.Begin();
            connection.IdleLimit = request.Operation.Forward.IdleMilliseconds;
            connection.MayBeAbandoned = mayBeAbandoned;
            client?.WaitFor(connection, exchange);
            var left = client is null ? context.RequestAborted.UnsafeRegister(static c => ((DirectConnection)c!).Abort(AbortReason.ClientLeft), connection) : default;
            var late = request.Deadline is { } deadline ? deadline.Token.UnsafeRegister(static c => ((DirectConnection)c!).Abort(AbortReason.Late), connection) : default;
            var (error, whole, isAnswered) = (ForwarderError.Request, false, false);
            Exception? failure = null;
            try
            {
                DirectRequest.Write(connection.Request, context, request, connections.Authority, client);
                await connection.SendAsync();
                var read = 0;
                do
                {
                    if (connection.Buffered.IsEmpty || read == 0)
                    {
                        var count = await connection.ReceiveAsync();
                        if (count == 0)
                        {
                            throw new EndOfStreamException("The instance closed the connection instead of answering.");
                        }

                        connection.Received(count);
                    }

                    read = connection.Answer.Read(connection.Buffered.Span, HttpMethods.IsHead(context.Request.Method));
                    if (read < 0 || (read > 0 && connection.Answer.Status == StatusCodes.Status101SwitchingProtocols))
                    {
                        throw new InvalidDataException("The answer is not HTTP/1.1.");
                    }

                    connection.Take(Math.Max(read, 0));
                }
                while (read == 0 || connection.Answer.Status < StatusCodes.Status200OK); // interim answers are for this hop

                isAnswered = true;
                connection.MayBeAbandoned = false;
                if (Accept(context, request, connection.Answer))
                {
                    if (context.Response.ContentType is { } type && type.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase))
                    {
                        await context.Response.Body.FlushAsync(CancellationToken.None); // a reader of events wants to know that it is connected
                    }

                    whole = connection.Answer.Framing switch
                    {
                        AnswerFraming.None => true,
                        AnswerFraming.Length => await CopyAsync(context, connection, connection.Answer.Length),
                        AnswerFraming.Chunked => await CopyChunkedAsync(context, connection),
                        _ => await CopyToEndAsync(context, connection),
                    };
                }

                error = ForwarderError.None;
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException or InvalidDataException)
            {
                failure = e;
                error = isAnswered ? ForwarderError.ResponseBodyDestination : ForwarderError.Request;
            }
            finally
            {
                late.Dispose();
                left.Dispose();
                if (connection.TryEnd(exchange) && whole && connection.Answer.KeepsAlive && connection.Buffered.IsEmpty)
                {
                    connections.Return(connection);
                }
                else
                {
                    connections.Close(connection);
                }
            }

            if (failure is null)
            {
                return error;
            }

            // A connection that waited too long is closed by the other side without a word: the request was not looked at.
            if (!isFresh && !isAnswered && request.MayRepeat && connection.Aborted == AbortReason.None && connection.Buffered.IsEmpty)
            {
                connection = null;
                continue;
            }

            return Failed(context, request, connection.Aborted, failure, error, isAnswered);
        }
    }

    /// <summary>The client has a part of an answer: it is to see that this is not the whole.</summary>
    public static void Break(HttpContext context)
    {
        if (context.Features.Get<IHttpResetFeature>() is { } reset)
        {
            reset.Reset(errorCode: 2); // INTERNAL_ERROR
        }
        else
        {
            context.Abort();
        }
    }

    /// <summary>Ends what has been silent for too long, ten times a second.</summary>
    public void Sweep()
    {
        lock (_sweeping)
        {
            var sweptAt = _time.GetTimestamp();
            _heard += Math.Min((long)_time.GetElapsedTime(_sweptAt, sweptAt).TotalMilliseconds, MostBetweenSweeps);
            _sweptAt = sweptAt;
            foreach (var (connections, _) in _inUse)
            {
                if (!connections.Sweep(_heard) && _inUse.TryRemove(connections, out var _) && connections.Open > 0)
                {
                    _inUse.TryAdd(connections, true); // somebody connected between the two
                }
            }
        }
    }

    public void Dispose()
    {
        _sweep.Dispose();
        foreach (var (connections, _) in _inUse)
        {
            connections.CloseIdle();
        }
    }

    /// <summary>The head of the answer is here.</summary>
    /// <returns>False when it is thrown away, because another instance is asked or a kept answer is better.</returns>
    private static bool Accept(HttpContext context, GatewayRequest request, AnswerHead answer)
    {
        if (request.Discards(answer.Status) || request.GivesWay(answer.Status))
        {
            return false;
        }

        var response = context.Response;
        response.StatusCode = answer.Status;
        if (answer.Reason is { } reason)
        {
            context.Features.Get<IHttpResponseFeature>()!.ReasonPhrase = reason;
        }

        answer.CopyTo(response.Headers);
        if (!request.TryAnswer())
        {
            throw new IOException(GatewayTransformer.TooLate);
        }

        GatewayTransformer.Prepare(context, request);
        return true;
    }

    /// <summary>Passes on a body of known length. It comes with its head, as a rule.</summary>
    private static async ValueTask<bool> CopyAsync(HttpContext context, DirectConnection connection, long left)
    {
        while (true)
        {
            var piece = connection.Buffered;
            piece = piece.Length > left ? piece[..(int)left] : piece;
            if (piece.Length > 0)
            {
                await WriteAsync(context, connection, piece);
                connection.Take(piece.Length);
                left -= piece.Length;
            }

            if (left == 0)
            {
                return true;
            }

            connection.Received(await ReceiveAsync(connection, left));
        }
    }

    private static async ValueTask<bool> CopyChunkedAsync(HttpContext context, DirectConnection connection)
    {
        var chunks = new ChunkedAnswer();
        while (true)
        {
            var taken = chunks.Decode(connection.BufferedSpan, out var data);
            if (data > 0)
            {
                await WriteAsync(context, connection, connection.Buffered[..data]);
            }

            connection.Take(taken);
            if (chunks.IsDone)
            {
                chunks.CopyTrailers(context);
                return true;
            }

            connection.Received(await ReceiveAsync(connection, long.MaxValue));
        }
    }

    /// <summary>Until the other side closes the connection.</summary>
    private static async ValueTask<bool> CopyToEndAsync(HttpContext context, DirectConnection connection)
    {
        while (true)
        {
            if (!connection.Buffered.IsEmpty)
            {
                await WriteAsync(context, connection, connection.Buffered);
                connection.Take(connection.Buffered.Length);
            }

            var count = await connection.ReceiveAsync(long.MaxValue);
            if (count == 0)
            {
                return true;
            }

            connection.Received(count);
        }
    }

    /// <summary>Passes a piece on; nearly always at once.</summary>
    private static ValueTask WriteAsync(HttpContext context, DirectConnection connection, ReadOnlyMemory<byte> piece)
    {
        var writing = context.Response.Body.WriteAsync(piece, CancellationToken.None);
        return writing.IsCompletedSuccessfully ? writing : WaitForClientAsync(context, connection, writing.AsTask(), piece.Length);
    }

    /// <summary>A client may be slow, but not for ever: after the time that the piece takes at the least pace, and the idle timeout, it is left.</summary>
    private static async ValueTask WaitForClientAsync(HttpContext context, DirectConnection connection, Task writing, int length)
    {
        connection.WaitsForClient = true;
        try
        {
            await writing.WaitAsync(TimeSpan.FromMilliseconds(connection.IdleLimit + (length * 1000L / LeastClientPace)));
        }
        catch (TimeoutException e)
        {
            connection.Abort(AbortReason.ClientLeft);
            context.Abort();
            await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // the piece is ours again only then
            throw new IOException("The client has stopped reading.", e);
        }
        finally
        {
            connection.Moved();
            connection.WaitsForClient = false;
        }
    }

    private static async ValueTask<int> ReceiveAsync(DirectConnection connection, long wanted) =>
        await connection.ReceiveAsync(wanted) is > 0 and var count ? count : throw new EndOfStreamException("The instance broke its answer off.");

    private async ValueTask<DirectConnection> ConnectAsync(HttpContext context, GatewayRequest request, DirectConnections connections)
    {
        using var either = request.Deadline is { } deadline ? CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, deadline.Token) : null;
        var connection = await connections.ConnectAsync(request.Operation.Forward.Connect ?? _connectTimeout, either?.Token ?? context.RequestAborted);
        _inUse.TryAdd(connections, true);
        return connection;
    }

    private static ForwarderError Failed(HttpContext context, GatewayRequest request, AbortReason reason, Exception failure, ForwarderError error, bool isAnswered)
    {
        request.Abandoned = reason == AbortReason.Silenced;
        error = reason switch
        {
            AbortReason.None => error,
            AbortReason.Idle or AbortReason.Silenced when !isAnswered => ForwarderError.RequestTimedOut,
            AbortReason.Idle => ForwarderError.ResponseBodyDestination,
            _ => isAnswered ? ForwarderError.ResponseBodyCanceled : ForwarderError.RequestCanceled,
        };
        if (isAnswered && !context.Response.HasStarted)
        {
            context.Response.Clear(); // nothing of it has reached the client: it may still get another answer
        }

        return Failed(request, failure, error, connect: false);
    }

    private static ForwarderError Failed(GatewayRequest request, Exception failure, ForwarderError error, bool connect)
    {
        request.ForwardFailure = connect && failure is SocketException ? new HttpRequestException(HttpRequestError.ConnectionError, failure.Message, failure) : failure;
        return error;
    }
}
