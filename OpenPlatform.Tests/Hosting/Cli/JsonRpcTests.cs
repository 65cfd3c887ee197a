using System.Buffers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using OpenPlatform.Hosting.Cli;

namespace OpenPlatform.Tests.Hosting.Cli;

/// <summary>Frames and requests, well formed and not.</summary>
public sealed class JsonRpcTests
{
    [Fact]
    public void Frames_come_out_the_same_however_they_are_cut()
    {
        byte[] stream = [.. JsonRpcFrames.Frame("{}"u8), .. "content-type: x\r\nContent-Length: 3\r\n\r\nabc"u8, .. JsonRpcFrames.Frame([])];
        for (var cut = 0; cut <= stream.Length; cut++)
        {
            var taken = new List<string>();
            var buffer = new ReadOnlySequence<byte>(stream[..cut]);
            Take();
            buffer = new([.. buffer.ToArray(), .. stream[cut..]]);
            Take();
            Assert.Equal(["{}", "abc", ""], taken);
            Assert.Equal(0, buffer.Length);

            void Take()
            {
                while (JsonRpcFrames.TryTake(ref buffer, out var content))
                {
                    taken.Add(Encoding.UTF8.GetString(content));
                }
            }
        }
    }

    [Theory]
    [InlineData("Content-Length: 1048577\r\n\r\n")]
    [InlineData("Content-Length: 99999999999999999999\r\n\r\n")]
    [InlineData("Content-Length: -1\r\n\r\n")]
    [InlineData("Content-Length: +1\r\n\r\nx")]
    [InlineData("Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx")]
    [InlineData("Content-Length:\r\n\r\n")]
    [InlineData("Content-Type: x\r\n\r\n")]
    [InlineData("no colon\r\n\r\n")]
    [InlineData("\r\n\r\n")]
    public void What_is_no_frame_is_refused(string text)
    {
        var buffer = new ReadOnlySequence<byte>(Encoding.ASCII.GetBytes(text));
        Assert.Throws<FormatException>(() => JsonRpcFrames.TryTake(ref buffer, out _));
    }

    [Fact]
    public void A_header_without_end_is_refused_at_its_limit()
    {
        var buffer = new ReadOnlySequence<byte>(new byte[JsonRpcFrames.MaxHeaderBytes]);
        Assert.False(JsonRpcFrames.TryTake(ref buffer, out _));
        buffer = new(new byte[JsonRpcFrames.MaxHeaderBytes + 1]);
        Assert.Throws<FormatException>(() => JsonRpcFrames.TryTake(ref buffer, out _));
    }

    [Fact]
    public void Any_bytes_are_a_frame_or_a_format_error()
    {
        var random = new Random(20_000);
        for (var run = 0; run < 20_000; run++)
        {
            var bytes = JsonRpcFrames.Frame(new byte[random.Next(40)]);
            for (var change = random.Next(6); change > 0; change--)
            {
                bytes[random.Next(bytes.Length)] = (byte)(random.Next(3) == 0 ? random.Next(256) : "\r\n: 0123456789C"[random.Next(15)]);
            }
            var buffer = new ReadOnlySequence<byte>(bytes, 0, random.Next(bytes.Length + 1));
            var before = buffer.Length;
            try
            {
                if (JsonRpcFrames.TryTake(ref buffer, out var content))
                {
                    Assert.True(content.Length + buffer.Length < before);
                }
                else
                {
                    Assert.Equal(before, buffer.Length);
                }
            }
            catch (FormatException)
            {
                // The one error there is.
            }
        }
    }

    [Fact]
    public async Task Any_JSON_gets_at_most_an_error_and_the_connection_lives_on()
    {
        await using var server = new RpcServer((method, _) => Task.FromResult<object?>(method == "Hello" ? "hello" : throw new InvalidOperationException("no")));
        using var client = await RpcClient.ConnectAsync(server.Path);
        var random = new Random(7);
        string[] parts = ["{", "}", "[", "]", ":", ",", "\"method\"", "\"id\"", "\"params\"", "\"$/enumerator/next\"", "\"$/enumerator/abort\"", "\"$/cancelRequest\"", "\"x\"", "1", "-1", "1e99", "null", "true", "[[[", "\"\\ud800\""];
        // Sent beside: each side has room for only so much that the other one has not read.
        var sending = SendAsync();
        JsonElement answer;
        do
        {
            answer = await client.ReceiveAsync();
            Assert.True(answer.TryGetProperty("error", out _) || answer.GetProperty("result").GetString() == "hello");
        }
        while (answer.GetProperty("id").ToString() != "last");
        Assert.Equal("hello", answer.GetProperty("result").GetString());
        await sending;

        async Task SendAsync()
        {
            for (var run = 0; run < 500; run++)
            {
                await client.SendAsync(string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => parts[random.Next(parts.Length)])));
            }
            foreach (var message in new[]
            {
                """{"id":1}""", """{"method":5,"id":1}""", """{"method":"$/enumerator/next","id":1}""", """{"method":"$/enumerator/next","id":1,"params":[1,2]}""",
                """{"method":"$/enumerator/abort","id":2,"params":["x"]}""", """{"method":"$/cancelRequest","params":[1]}""", """{"method":"$/cancelRequest","params":{"id":{}}}""",
                new string('[', 40) + new string(']', 40), """{"method":"Hello","id":{"a":1}}""", """[{"method":"Hello","id":1}]""",
            })
            {
                await client.SendAsync(message);
            }
            await client.SendAsync("""{"jsonrpc":"2.0","id":"last","method":"Hello"}""");
        }
    }

    [Fact]
    public async Task A_sequence_is_handed_out_until_it_is_finished()
    {
        await using var server = new RpcServer((_, _) => Task.FromResult<object?>(Enumerable.Range(1, 1200).Select(i => (object)i).ToAsyncEnumerable()));
        using var client = await RpcClient.ConnectAsync(server.Path);
        var token = (await client.CallAsync("Count")).GetProperty("result").GetProperty("token").GetInt32();
        var all = new List<int>();
        for (var finished = false; !finished;)
        {
            var part = (await client.CallAsync("$/enumerator/next", $"[{token}]")).GetProperty("result");
            all.AddRange(part.GetProperty("values").EnumerateArray().Select(v => v.GetInt32()));
            finished = part.GetProperty("finished").GetBoolean();
        }
        Assert.Equal(Enumerable.Range(1, 1200), all);
        Assert.True((await client.CallAsync("$/enumerator/next", $"[{token}]")).TryGetProperty("error", out _));
    }

    [Fact]
    public async Task A_request_can_be_cancelled_while_another_is_answered()
    {
        await using var server = new RpcServer(async (method, cancellationToken) =>
        {
            if (method == "Wait")
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            }
            return method;
        });
        using var client = await RpcClient.ConnectAsync(server.Path);
        await client.SendAsync("""{"jsonrpc":"2.0","id":"slow","method":"Wait"}""");
        Assert.Equal("Other", (await client.CallAsync("Other")).GetProperty("result").GetString());
        await client.SendAsync("""{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"slow"}}""");
        var answer = await client.ReceiveAsync();
        Assert.Equal(("slow", JsonRpcException.Cancelled), (answer.GetProperty("id").GetString(), answer.GetProperty("error").GetProperty("code").GetInt32()));
    }

    [Fact]
    public async Task Too_long_a_message_ends_the_connection()
    {
        await using var server = new RpcServer((_, _) => Task.FromResult<object?>(null));
        using var client = await RpcClient.ConnectAsync(server.Path);
        await client.SendRawAsync("Content-Length: 2000000\r\n\r\n"u8.ToArray());
        await Assert.ThrowsAnyAsync<IOException>(client.ReceiveAsync);
    }

    /// <summary>One connection on a real socket.</summary>
    private sealed class RpcServer : IAsyncDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rpc");
        private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private readonly Task _serving;

        internal RpcServer(Func<string, CancellationToken, Task<object?>> invoke)
        {
            _listener.Bind(new UnixDomainSocketEndPoint(Path));
            _listener.Listen(1);
            _serving = Task.Run(async () =>
            {
                using var client = await _listener.AcceptAsync();
                await using var connection = new JsonRpcConnection(new NetworkStream(client), invoke);
                await connection.RunAsync(CancellationToken.None);
            });
        }

        internal string Path => System.IO.Path.Combine(_folder.FullName, "s");

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            await _serving.WaitAsync(TimeSpan.FromSeconds(10)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _folder.Delete(recursive: true);
        }
    }
}
