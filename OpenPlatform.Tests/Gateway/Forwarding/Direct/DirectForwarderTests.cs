using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Forwarding.Direct;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Forwarding.Direct;

/// <summary>Requests without a body, which go to the socket directly, against backends that answer in every way a socket allows.</summary>
public sealed class DirectForwarderTests
{
    private const int MoreThanBuffersHold = 16 << 20;
    private const string Hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Hello, false)]
    [InlineData("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + Hello, false)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3  \r\nllo\r\n0\r\nX: y\r\n\r\n", false)]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nhello", true)]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", true)]
    public async Task An_answer_arrives_whole_in_whatever_pieces_it_comes(string answer, bool thenClose)
    {
        await using var backend = RawBackend.Start(async (_, socket, _) =>
        {
            for (var i = 0; i < answer.Length; i++)
            {
                await socket.SendAsync(Encoding.Latin1.GetBytes(answer[i..(i + 1)]));
                await Task.Yield();
            }

            return !thenClose;
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        for (var i = 0; i < 3; i++)
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal("hello", await response.Content.ReadAsStringAsync(Stop));
            Assert.False(response.Headers.Contains("Link"));
        }

        Assert.Equal(thenClose ? 3 : 1, backend.Connections);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")]
    [InlineData("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello\r\n\r\n")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n\r\n")]
    [InlineData("")]
    public async Task What_is_no_answer_is_502(string answer)
    {
        await using var backend = RawBackend.Start(answer, thenClose: true);
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        await PipelineTests.AssertRefusedAsync(response, HttpStatusCode.BadGateway, "backend-failed");
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n")]
    public async Task An_answer_that_breaks_off_does_not_look_whole(string answer)
    {
        await using var backend = RawBackend.Start(answer, thenClose: true);
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        try
        {
            using var response = await client.GetAsync("/orders/v1/orders", HttpCompletionOption.ResponseHeadersRead, Stop);
            response.EnsureSuccessStatusCode(); // 502 when nothing had gone out yet
            await response.Content.ReadAsStringAsync(Stop);
            Assert.Fail("It looked whole.");
        }
        catch (HttpRequestException)
        {
            // Cut, or refused.
        }
    }

    [Fact]
    public async Task A_connection_that_says_more_than_its_answer_serves_nobody_else()
    {
        await using var backend = RawBackend.Start(Hello + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
        }

        Assert.Equal(3, backend.Connections);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    public async Task A_connection_that_was_closed_while_it_waited_costs_no_request(string method)
    {
        await using var backend = RawBackend.Start(Hello, thenClose: true);
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        for (var i = 0; i < 20; i++)
        {
            using var request = new HttpRequestMessage(new(method), "/orders/v1/orders");
            using var response = await client.SendAsync(request, Stop);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            await backend.Left.WaitAsync(Stop); // closed after it was given back
        }

        Assert.Equal(20, backend.Requests.Count);
    }

    [Fact]
    public async Task A_client_that_leaves_ends_its_exchange_and_no_other()
    {
        var asked = 0;
        await using var backend = RawBackend.Start(async (_, socket, _) =>
        {
            if (Interlocked.Increment(ref asked) == 1)
            {
                return await socket.ReceiveAsync(new byte[1]) > 0;
            }

            await socket.SendAsync(Encoding.Latin1.GetBytes(Hello));
            return true;
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using (var leaver = new TcpClient())
        {
            await leaver.ConnectAsync(IPAddress.Loopback, gateway.ClientOptions.BaseAddress.Port, Stop);
            await leaver.Client.SendAsync(Encoding.ASCII.GetBytes($"GET /orders/v1/orders/slow HTTP/1.1\r\nHost: a\r\nX-Api-Key: {TestSnapshot.Key}\r\n\r\n"));
            while (Volatile.Read(ref asked) == 0)
            {
                await Task.Yield();
            }

            Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
        }

        await backend.Left.WaitAsync(Stop);
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
        Assert.Equal(2, backend.Connections);
    }

    [Fact]
    public async Task A_large_answer_arrives_whole()
    {
        var body = new string('x', 3_000_000);
        await using var backend = RawBackend.Start($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(body, await client.GetStringAsync("/orders/v1/orders", Stop));
        }

        Assert.Equal(1, backend.Connections);
    }

    [Fact]
    public async Task HEAD_and_304_have_a_length_and_no_body()
    {
        await using var backend = RawBackend.Start(static async (self, socket, _) =>
        {
            var head = self.Requests.Last().StartsWith("HEAD", StringComparison.Ordinal) ? "200 OK" : "304 Not Modified";
            await socket.SendAsync(Encoding.Latin1.GetBytes($"HTTP/1.1 {head}\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n"));
            return true;
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var head = await client.SendAsync(new(HttpMethod.Head, "/orders/v1/orders"), Stop);
        Assert.Equal((HttpStatusCode.OK, 5L), (head.StatusCode, head.Content.Headers.ContentLength));
        using var unchanged = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);
        Assert.Equal(1, backend.Connections);
    }

    [Fact]
    public async Task A_body_that_stops_moving_is_cut_after_the_idle_timeout_and_not_billed()
    {
        await using var backend = RawBackend.Start("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithPolicies(new() { Timeouts = new(IdleMilliseconds: 300) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        await Assert.ThrowsAnyAsync<HttpRequestException>(async () => await client.GetStringAsync("/orders/v1/orders", Stop));
        await backend.Left.WaitAsync(Stop);
        Assert.Empty(catalog.Batches);
    }

    [Fact]
    public async Task A_client_that_reads_slowly_is_not_silence_of_the_instance()
    {
        var body = new string('x', MoreThanBuffersHold);
        await using var backend = RawBackend.Start($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithPolicies(new() { Timeouts = new(IdleMilliseconds: 500) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = await AskAsync(gateway);
        await Task.Delay(TimeSpan.FromSeconds(2.5), Stop); // five times the idle timeout, and many sweeps
        using var text = new StreamReader(client.GetStream(), Encoding.ASCII);
        var answer = await text.ReadToEndAsync(Stop);
        Assert.Equal(body.Length, answer.Length - (answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4));
        Assert.Equal(0, FailuresOf(gateway));
    }

    /// <summary>YARP's forwarder has one clock for both sides: a piece must go out within the idle timeout. Whose fault it was is told apart all the same.</summary>
    [Fact]
    public async Task A_client_that_reads_slowly_what_YARP_carries_is_cut_after_the_idle_timeout_and_the_instance_not_blamed()
    {
        var body = new string('x', MoreThanBuffersHold);
        await using var backend = RawBackend.Start($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithPolicies(new() { Timeouts = new(IdleMilliseconds: 500) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = await AskAsync(gateway, "TE: trailers\r\n");
        Assert.True(await backend.Left.WaitAsync(TimeSpan.FromSeconds(20), Stop)); // nobody reads
        await Eventually.TrueAsync(() => gateway.Snapshot.Current!.Backends[0].Ready.Single().InFlight == 0);
        Assert.Equal(0, FailuresOf(gateway));
    }

    [Fact]
    public async Task A_client_that_reads_below_the_least_pace_is_cut_and_the_instance_not_blamed()
    {
        var body = new string('x', MoreThanBuffersHold);
        await using var backend = RawBackend.Start($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        gateway.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits.MinResponseDataRate = new(bytesPerSecond: 1e9, TimeSpan.FromSeconds(1.1));
        using var client = await AskAsync(gateway);
        await backend.Left.WaitAsync(Stop); // nobody reads, and yet it ends
        var received = 0L;
        try
        {
            var buffer = new byte[64 << 10];
            for (int count; (count = await client.GetStream().ReadAsync(buffer, Stop)) > 0; received += count)
            {
            }
        }
        catch (IOException)
        {
            // Cut with a reset.
        }

        Assert.InRange(received, 1, body.Length - 1);
        Assert.Equal(0, FailuresOf(gateway));
    }

    /// <summary>HTTP/2 says itself how much a client takes: the server's least pace is not what ends this one.</summary>
    [Fact]
    public async Task A_client_that_has_stopped_reading_is_left_after_the_idle_timeout()
    {
        await using var backend = RawBackend.Start(static async (_, socket, _) =>
        {
            await socket.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {MoreThanBuffersHold}\r\n\r\n"));
            for (var left = MoreThanBuffersHold; left > 0; left -= 200)
            {
                await socket.SendAsync(new byte[200]); // small pieces, so that the pace asked for is soon missed
                await Task.Delay(1);
            }

            return true;
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithPolicies(new() { Timeouts = new(IdleMilliseconds: 500) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/orders/v1/orders") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        Assert.True(await backend.Left.WaitAsync(TimeSpan.FromSeconds(20), Stop));
        await Assert.ThrowsAnyAsync<HttpRequestException>(async () => await response.Content.ReadAsByteArrayAsync(Stop));
        Assert.Equal(0, FailuresOf(gateway));
    }

    [Theory]
    [InlineData("Content-Length: 5\r\n\r\nhello")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("Content-Length: 0\r\n\r\n")]
    public async Task An_answer_205_passes_without_the_content_that_it_must_not_have(string rest)
    {
        await using var backend = RawBackend.Start("HTTP/1.1 205 Reset Content\r\n" + rest);
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        for (var i = 0; i < 2; i++)
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal((HttpStatusCode.ResetContent, ""), (response.StatusCode, await response.Content.ReadAsStringAsync(Stop)));
        }
    }

    [Fact]
    public async Task Requests_that_were_sent_in_one_go_are_answered_in_their_order()
    {
        await using var backend = RawBackend.Start(static async (self, socket, _) =>
        {
            var id = self.Requests.Last().Split(' ')[1];
            await socket.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {id.Length}\r\n\r\n{id}"));
            return true;
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = await ConnectAsync(gateway);
        const int Count = 50;
        var all = string.Concat(Enumerable.Range(0, Count).Select(static i =>
            $"GET /orders/v1/orders/{i} HTTP/1.1\r\nHost: a\r\n{(i % 7 == 3 ? "" : $"X-Api-Key: {TestSnapshot.Key}\r\n")}{(i == Count - 1 ? "Connection: close\r\n" : "")}\r\n"));
        await client.Client.SendAsync(Encoding.ASCII.GetBytes(all), Stop);
        using var text = new StreamReader(client.GetStream(), Encoding.ASCII);
        var answers = (await text.ReadToEndAsync(Stop)).Split("HTTP/1.1 ")[1..];
        Assert.Equal(Count, answers.Length);
        Assert.All(answers, static (answer, i) =>
        {
            Assert.StartsWith(i % 7 == 3 ? "401" : "200", answer, StringComparison.Ordinal);
            Assert.True(i % 7 == 3 || answer.EndsWith($"\r\n\r\n/orders/{i}", StringComparison.Ordinal), answer);
        });
    }

    [Fact]
    public void No_two_connections_have_an_exchange_of_one_number()
    {
        using var one = new DirectConnection(new(SocketType.Stream, ProtocolType.Tcp));
        using var other = new DirectConnection(new(SocketType.Stream, ProtocolType.Tcp));
        var exchange = one.Begin();
        var others = other.Begin();
        other.Abort(exchange, AbortReason.ClientLeft); // too late, and to the wrong one
        Assert.Equal((exchange, others), (one.Exchange, other.Exchange));
        Assert.NotEqual(exchange, others);
    }

    private static long FailuresOf(GatewayHost gateway) => Assert.Single(gateway.Snapshot.Current!.Backends[0].Ready).Health.Failures;

    private static async Task<TcpClient> ConnectAsync(GatewayHost gateway)
    {
        var client = new TcpClient { ReceiveBufferSize = 4096 };
        await client.ConnectAsync(IPAddress.Loopback, gateway.ClientOptions.BaseAddress.Port, Stop);
        return client;
    }

    /// <summary>Asks, and does not read.</summary>
    private static async Task<TcpClient> AskAsync(GatewayHost gateway, string more = "")
    {
        var client = await ConnectAsync(gateway);
        await client.Client.SendAsync(Encoding.ASCII.GetBytes($"GET /orders/v1/orders HTTP/1.1\r\nHost: a\r\nX-Api-Key: {TestSnapshot.Key}\r\n{more}Connection: close\r\n\r\n"), Stop);
        return client;
    }
}
