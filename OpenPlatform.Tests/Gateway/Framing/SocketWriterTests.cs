using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using OpenPlatform.Gateway.Framing;
using OpenPlatform.Tests.Gateway.Forwarding.Direct;
using OpenPlatform.Tests.Gateway.Support;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>What the gateway sends to clients of HTTP/1 goes straight to the socket: nothing is lost, mixed up or sent twice.</summary>
public sealed class SocketWriterTests
{
    private const int MoreThanBuffersHold = 16 << 20;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task What_is_written_arrives_in_its_order_whatever_its_pieces(int seed)
    {
        var random = new Random(seed);
        await using var pair = await Pair.OpenAsync();
        var expected = new byte[4 << 20];
        random.NextBytes(expected);
        var reading = pair.ReadAsync(expected.Length, pause: seed == 3);
        for (var written = 0; written < expected.Length;)
        {
            var count = Math.Min(expected.Length - written, random.Next(4) switch { 0 => random.Next(1, 40), 1 => random.Next(1, 5000), 2 => 64 << 10, _ => random.Next(1, 300_000) });
            for (var piece = expected.AsMemory(written, count); !piece.IsEmpty;)
            {
                var room = pair.Writer.GetMemory(random.Next(3) == 0 ? Math.Min(piece.Length, 100) : 0);
                var taken = Math.Min(room.Length, piece.Length);
                piece[..taken].CopyTo(room);
                pair.Writer.Advance(taken);
                piece = piece[taken..];
            }

            written += count;
            if (random.Next(3) != 0)
            {
                Assert.False((await pair.Writer.FlushAsync(Stop)).IsCompleted);
            }
        }

        await pair.Writer.CompleteAsync();
        Assert.Equal(Hash(expected), Hash(await reading));
        Assert.True(pair.IsCompleted);
    }

    [Fact]
    public async Task A_flush_that_is_given_up_loses_nothing()
    {
        await using var pair = await Pair.OpenAsync();
        var first = RandomNumberGenerator.GetBytes(MoreThanBuffersHold);
        var second = RandomNumberGenerator.GetBytes(1000);
        pair.Write(first);
        using var soon = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var flush = pair.Writer.FlushAsync(soon.Token);
        Assert.False(flush.IsCompleted);
        await soon.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await flush);

        pair.Write(second);
        var again = pair.Writer.FlushAsync(Stop);
        pair.Writer.CancelPendingFlush();
        Assert.True((await again).IsCanceled);
        Assert.False(pair.Writer.Sent.IsCompleted);

        pair.Writer.Complete();
        Assert.False(pair.IsCompleted); // the connection would be shut down with it
        var received = await pair.ReadAsync(first.Length + second.Length);
        Assert.Equal(Hash([.. first, .. second]), Hash(received));
        await pair.Writer.Sent.WaitAsync(Stop);
        await Eventually.TrueAsync(() => pair.IsCompleted);
    }

    [Fact]
    public async Task A_client_that_left_is_told_by_the_flush_and_not_by_an_exception()
    {
        await using var pair = await Pair.OpenAsync();
        pair.Write(RandomNumberGenerator.GetBytes(MoreThanBuffersHold));
        var flush = pair.Writer.FlushAsync(Stop);
        pair.Leave();
        Assert.True((await flush).IsCompleted);
        Assert.True(pair.IsCompleted); // and so is the transport, which may not be reading
        pair.Write([1]);
        Assert.True((await pair.Writer.FlushAsync(Stop)).IsCompleted);
        await pair.Writer.CompleteAsync();
    }

    [Fact]
    public async Task A_large_answer_is_whole_for_a_slow_client_whose_connection_is_closed_behind_it()
    {
        var body = Convert.ToHexString(RandomNumberGenerator.GetBytes(MoreThanBuffersHold / 2));
        await using var backend = RawBackend.Start($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, gateway.ClientOptions.BaseAddress.Port, Stop);
        await client.Client.SendAsync(Encoding.ASCII.GetBytes($"GET /orders/v1/orders HTTP/1.1\r\nHost: a\r\nX-Api-Key: {TestSnapshot.Key}\r\nConnection: close\r\n\r\n"), Stop);
        await backend.Answering.WaitAsync(Stop);
        using var text = new StreamReader(client.GetStream(), Encoding.ASCII);
        var answer = await text.ReadToEndAsync(Stop);
        Assert.StartsWith("HTTP/1.1 200 OK", answer, StringComparison.Ordinal);
        Assert.Equal(body, answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
    }

    private static string Hash(byte[] bytes) => Convert.ToHexString(SHA256.HashData(bytes));

    /// <summary>A writer and the client it writes to.</summary>
    private sealed class Pair(Socket server, Socket client) : IAsyncDisposable
    {
        private readonly Pipe _transport = new();

        public SocketWriter Writer => field ??= new(server, _transport.Writer);

        /// <summary>The platform's transport may close the connection.</summary>
        public bool IsCompleted => _transport.Reader.TryRead(out var read) && read.IsCompleted;

        public static async Task<Pair> OpenAsync()
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await client.ConnectAsync(listener.LocalEndpoint, Stop);
            return new(await listener.AcceptSocketAsync(Stop), client);
        }

        public void Write(byte[] bytes)
        {
            bytes.CopyTo(Writer.GetMemory(bytes.Length));
            Writer.Advance(bytes.Length);
        }

        public async Task<byte[]> ReadAsync(int count, bool pause = false)
        {
            var received = new byte[count];
            for (var read = 0; read < count;)
            {
                if (pause)
                {
                    await Task.Yield();
                }

                var taken = await client.ReceiveAsync(received.AsMemory(read, Math.Min(count - read, pause ? 1000 : count)), Stop);
                Assert.NotEqual(0, taken);
                read += taken;
            }

            return received;
        }

        public void Leave()
        {
            client.LingerState = new(true, 0);
            client.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            server.Dispose();
            client.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
