using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Gateway.Forwarding.Direct;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Forwarding;

/// <summary>Slow backends: who waits how long, and what the client gets.</summary>
public sealed class TimeoutTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static Task Never(HttpContext context) => Task.Delay(Timeout.Infinite, context.RequestAborted);

    [Fact]
    public async Task A_backend_that_stays_silent_longer_than_the_first_byte_timeout_is_504()
    {
        await using var backend = await TestBackend.StartAsync(Never);
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithPolicies(new() { Timeouts = new(FirstByteMilliseconds: 200) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        await PipelineTests.AssertRefusedAsync(response, HttpStatusCode.GatewayTimeout, "backend-timeout");
        Assert.Equal("openplatform; error=http_response_timeout", response.Headers.GetValues("Proxy-Status").Single());
        Assert.Equal("200", backend.Requests.Single().Headers["X-Request-Timeout"]);
    }

    [Fact]
    public async Task The_first_byte_of_an_answer_to_a_streamed_body_is_awaited_from_the_end_of_the_body_on()
    {
        await using var backend = await TestBackend.StartAsync(Never);
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithPolicies(new() { Timeouts = new(FirstByteMilliseconds: 300) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        var slow = new System.IO.Pipelines.Pipe();
        var call = client.PostAsync("/orders/v1/orders", new StreamContent(slow.Reader.AsStream()), Stop);
        await slow.Writer.WriteAsync(new byte[64 << 10], Stop);
        await Eventually.TrueAsync(() => backend.Calls == 1);
        await Task.Delay(900, Stop); // longer than the first byte may take
        Assert.False(call.IsCompleted);
        await slow.Writer.CompleteAsync();
        using var response = await call;
        await PipelineTests.AssertRefusedAsync(response, HttpStatusCode.GatewayTimeout, "backend-timeout");
    }

    [Fact]
    public async Task A_silent_instance_costs_an_idempotent_request_nothing_but_time()
    {
        await using var silent = await TestBackend.StartAsync(Never);
        await using var good = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(
            TestSnapshot.Create([silent.Address, good.Address]).WithPolicies(new() { Timeouts = new(FirstByteMilliseconds: 200) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        while (silent.Requests.Count < 2)
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
    }

    [Fact]
    public async Task An_answer_that_takes_longer_than_the_total_is_504_before_its_head_and_broken_off_after_it()
    {
        await using var backend = await TestBackend.StartAsync(static async context =>
        {
            if (context.Request.Method == "GET")
            {
                await context.Response.StartAsync(context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }

            await Never(context);
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithPolicies(new() { Timeouts = new(TotalMilliseconds: 300) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var post = await client.PostAsync("/orders/v1/orders", new StringContent("{}"), Stop);
        await PipelineTests.AssertRefusedAsync(post, HttpStatusCode.GatewayTimeout, "backend-timeout");

        await Assert.ThrowsAnyAsync<HttpRequestException>(async () => await client.GetStringAsync("/orders/v1/orders", Stop));
        await Eventually.TrueAsync(() => catalog.Batches.IsEmpty); // what was broken off is not billed
    }

    [Fact]
    public async Task A_stream_that_moves_outlives_the_first_byte_and_idle_timeouts()
    {
        var go = new SemaphoreSlim(0);
        await using var backend = await TestBackend.StartAsync(async context =>
        {
            for (var i = 0; i < 5; i++)
            {
                await context.Response.WriteAsync("x", context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
                await go.WaitAsync(context.RequestAborted);
            }
        });
        await using var catalog = await TestCatalog.StartAsync(
            TestSnapshot.Create([backend.Address]).WithPolicies(new() { Timeouts = new(FirstByteMilliseconds: 400, IdleMilliseconds: 2000) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var response = await client.GetAsync("/orders/v1/orders", HttpCompletionOption.ResponseHeadersRead, Stop);
        await using var body = await response.Content.ReadAsStreamAsync(Stop);
        var buffer = new byte[1];
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(1, await body.ReadAsync(buffer, Stop));
            await Task.Delay(i == 0 ? 500 : 0, Stop); // longer than the first byte may take
            go.Release();
        }

        Assert.Equal(0, await body.ReadAsync(buffer, Stop));
    }

    [Fact]
    public async Task Only_silence_that_the_gateway_has_listened_to_counts_as_idle()
    {
        var time = new ManualTime();
        var go = new SemaphoreSlim(0);
        await using var backend = await TestBackend.StartAsync(async context =>
        {
            for (var i = 0; ; i++)
            {
                await context.Response.WriteAsync("x", context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
                await go.WaitAsync(context.RequestAborted);
            }
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithPolicies(new() { Timeouts = new(IdleMilliseconds: 2000) }));
        await using var gateway = await GatewayHost.StartAsync(catalog, time);
        using var client = gateway.Client();
        var forwarder = gateway.Services.GetRequiredService<DirectForwarder>();

        // Nobody has swept for a minute: the thread that does was not given to it, or the whole process stood still.
        time.Advance(TimeSpan.FromMinutes(1));
        using var response = await client.GetAsync("/orders/v1/orders", HttpCompletionOption.ResponseHeadersRead, Stop);
        await using var body = await response.Content.ReadAsStreamAsync(Stop);
        var buffer = new byte[1];
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(1, await body.ReadAsync(buffer, Stop));
            forwarder.Sweep(); // has seen it move
            time.Advance(TimeSpan.FromMinutes(1));
            forwarder.Sweep();
            go.Release();
        }

        // What moves is looked at often, and lives; then it is silent and looked at as often.
        for (var i = 0; i < 60; i++)
        {
            Assert.Equal(1, await body.ReadAsync(buffer, Stop));
            time.Advance(TimeSpan.FromMilliseconds(100));
            forwarder.Sweep();
            go.Release();
        }

        Assert.Equal(1, await body.ReadAsync(buffer, Stop));
        var silence = body.ReadAsync(buffer, Stop).AsTask();
        for (var i = 0; i < 19; i++)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            forwarder.Sweep();
        }

        Assert.False(silence.IsCompleted);
        await Eventually.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            forwarder.Sweep();
            return silence.IsCompleted;
        });
        await Assert.ThrowsAnyAsync<IOException>(() => silence);
    }

    [Fact]
    public async Task A_client_may_ask_for_less_time_than_the_total()
    {
        await using var backend = await TestBackend.StartAsync(Never);
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithPolicies(new() { Timeouts = new(TotalMilliseconds: 600_000) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        client.DefaultRequestHeaders.Add("X-Request-Timeout", "200");
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        await PipelineTests.AssertRefusedAsync(response, HttpStatusCode.GatewayTimeout, "backend-timeout");
        Assert.InRange(int.Parse(backend.Requests.Single().Headers["X-Request-Timeout"]), 1, 200);
    }

    [Fact]
    public async Task An_operation_may_be_slower_than_its_API()
    {
        await using var backend = await TestBackend.StartAsync(static async context =>
        {
            await Task.Delay(600, context.RequestAborted);
            await TestBackend.Hello(context);
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address])
            .WithPolicies(new() { Timeouts = new(FirstByteMilliseconds: 200) })
            .WithOperation("getOrder", new() { Timeouts = new(FirstByteMilliseconds: 15_000) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders/1", Stop));
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
    }

    [Fact]
    public async Task An_instance_that_does_not_take_connections_is_left_after_the_APIs_connect_timeout()
    {
        // A full backlog: the system drops what asks for a connection, as a host that is gone does.
        using var full = new Socket(SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        var fillers = new List<Socket>();
        for (var i = 0; i < 8; i++)
        {
            var filler = new Socket(SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
            fillers.Add(filler);
            try
            {
                await filler.ConnectAsync(full.LocalEndPoint!, new CancellationTokenSource(100).Token);
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }

        await using var good = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(
            TestSnapshot.Create([new($"http://{full.LocalEndPoint}"), good.Address]).WithPolicies(new() { Timeouts = new(ConnectMilliseconds: 100) }));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: ("OpenPlatform:Gateway:Forwarding:ConnectTimeout", "00:01:00"));
        using var client = gateway.Client();
        for (var i = 0; i < 10; i++)
        {
            using var response = await client.PostAsync("/orders/v1/orders", new StringContent("{}"), Stop);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        fillers.ForEach(static filler => filler.Dispose());
    }

    [Fact]
    public async Task A_client_that_leaves_takes_the_call_to_the_backend_with_it()
    {
        var arrived = new TaskCompletionSource();
        var left = new TaskCompletionSource();
        await using var backend = await TestBackend.StartAsync(async context =>
        {
            context.RequestAborted.Register(left.SetResult);
            arrived.SetResult();
            await Never(context);
        });
        await using var other = await TestBackend.StartAsync(Never);
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var leave = new CancellationTokenSource();
        var call = client.GetAsync("/orders/v1/orders", leave.Token);
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(15), Stop);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await left.Task.WaitAsync(TimeSpan.FromSeconds(15), Stop);
    }
}
