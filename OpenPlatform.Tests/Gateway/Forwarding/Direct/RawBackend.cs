using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace OpenPlatform.Tests.Gateway.Forwarding.Direct;

/// <summary>A server that says on each connection exactly what a test wants, once for each request without a body.</summary>
internal sealed class RawBackend : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<RawBackend, Socket, int, Task<bool>> _answer;
    private readonly ConcurrentBag<Socket> _open = [];

    private RawBackend(Func<RawBackend, Socket, int, Task<bool>> answer) => _answer = answer;

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    public int Connections => _open.Count;

    /// <summary>Heads, in order of arrival.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>Connections that the other side has closed.</summary>
    public SemaphoreSlim Left { get; } = new(0);

    /// <summary>Answers that have begun.</summary>
    public SemaphoreSlim Answering { get; } = new(0);

    /// <param name="answer">Gets the number of the request on its connection, from 0; false: closes the connection.</param>
    public static RawBackend Start(Func<RawBackend, Socket, int, Task<bool>> answer)
    {
        var backend = new RawBackend(answer);
        backend._listener.Start();
        _ = backend.AcceptAsync();
        return backend;
    }

    /// <summary>Always the same bytes.</summary>
    public static RawBackend Start(string answer, bool thenClose = false) => Start(async (self, socket, _) =>
    {
        self.Answering.Release();
        await socket.SendAsync(Encoding.Latin1.GetBytes(answer));
        return !thenClose;
    });

    public ValueTask DisposeAsync()
    {
        _listener.Stop();
        foreach (var socket in _open)
        {
            socket.Dispose();
        }

        return ValueTask.CompletedTask;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync();
                _open.Add(socket);
                _ = ServeAsync(socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            var buffer = new byte[16 << 10];
            for (var number = 0; ; number++)
            {
                var length = 0;
                while (!buffer.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
                {
                    var count = await socket.ReceiveAsync(buffer.AsMemory(length));
                    if (count == 0)
                    {
                        return;
                    }

                    length += count;
                }

                Requests.Enqueue(Encoding.Latin1.GetString(buffer, 0, length));
                if (!await _answer(this, socket, number))
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Ended by the other side, or by the end of the test.
        }
        finally
        {
            socket.Dispose();
            Left.Release();
        }
    }
}
