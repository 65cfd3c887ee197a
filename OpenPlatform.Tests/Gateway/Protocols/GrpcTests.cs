using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Primitives;
using GatewayGrpc = OpenPlatform.Gateway.Protocols.Grpc; // not the namespace that libraries have
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Protocols;

/// <summary>What gRPC asks of a gateway, without a gRPC library in between; <see cref="PeerTests"/> has one.</summary>
public sealed class GrpcTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null, "/orders/v1/orders", "16")]
    [InlineData(TestSnapshot.Key, "/orders/v1/unknown", "12")]
    [InlineData(TestSnapshot.StrangerKey, "/orders/v1/orders", "7")]
    [InlineData(TestSnapshot.Key, "/orders/v1/orders", "14")]
    public async Task A_refused_call_is_answered_with_a_status_and_a_message_in_the_head(string? key, string path, string status)
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([new("http://127.0.0.1:9")]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var http = gateway.Client(key);
        using var request = Call(path);
        request.Content = Message("x");
        using var response = await http.SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/grpc", response.Content.Headers.ContentType?.ToString());
        Assert.Equal(status, response.Headers.GetValues("grpc-status").Single());
        Assert.Contains("urn:openplatform:refusal:", response.Headers.GetValues("grpc-message").Single(), StringComparison.Ordinal);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync(Stop));
    }

    [Fact]
    public async Task A_deadline_is_passed_on_and_enforced()
    {
        await using var backend = await ProtocolBackend.StartAsync(HttpProtocols.Http2, static context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        await using var catalog = await TestCatalog.StartAsync(ProtocolTests.Snapshot(backend, "http2"));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var http = gateway.Client();
        using var request = Call();
        request.Headers.Add("grpc-timeout", "400m");
        request.Content = Message("x");
        using var response = await http.SendAsync(request, Stop);
        Assert.Equal("4", response.Headers.GetValues("grpc-status").Single());
        var passedOn = Assert.Single(backend.Requests).Headers["grpc-timeout"];
        Assert.InRange(int.Parse(passedOn.TrimEnd('m'), CultureInfo.InvariantCulture), 1, 400);
    }

    [Fact]
    public async Task The_head_of_a_stream_arrives_before_its_first_message_and_trailers_at_its_end()
    {
        await using var backend = await ProtocolBackend.StartAsync(HttpProtocols.Http2, static async context =>
        {
            context.Response.ContentType = "application/grpc";
            await context.Response.Body.FlushAsync(context.RequestAborted);
            await context.Request.Body.CopyToAsync(context.Response.Body, context.RequestAborted);
            context.Response.AppendTrailer("grpc-status", "0");
        });
        await using var catalog = await TestCatalog.StartAsync(ProtocolTests.Snapshot(backend, "http2"));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var http = gateway.Client();
        using var request = Call();
        var sending = new TaskCompletionSource<Stream>(TaskCreationOptions.RunContinuationsAsynchronously);
        var done = new TaskCompletionSource();
        request.Content = new Duplex(sending, done.Task);
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop); // the client waits for the head first
        var requests = await sending.Task;
        var answers = await response.Content.ReadAsStreamAsync(Stop);
        var buffer = new byte[100];
        for (byte i = 1; i <= 3; i++)
        {
            await requests.WriteAsync(new[] { i }, Stop);
            await requests.FlushAsync(Stop);
            Assert.Equal(1, await answers.ReadAsync(buffer, Stop));
            Assert.Equal(i, buffer[0]);
        }

        done.SetResult();
        Assert.Equal(0, await answers.ReadAsync(buffer, Stop));
        Assert.Equal("0", response.TrailingHeaders.GetValues("grpc-status").Single());
        Assert.Equal("trailers", Assert.Single(backend.Requests).Headers["TE"]);
    }

    [Theory]
    [InlineData("/a.Service/Method", "/a.Service/Method")]
    [InlineData("/shop/v1/a.Service/Method", "/a.Service/Method")]
    public void A_method_is_named_by_the_last_two_segments(string path, string method) => Assert.Equal(method, GatewayGrpc.MethodOf(path));

    [Theory]
    [InlineData("1H", 3_600_000)]
    [InlineData("2M", 120_000)]
    [InlineData("3S", 3000)]
    [InlineData("4m", 4)]
    [InlineData("1500u", 2)]
    [InlineData("1n", 1)]
    [InlineData("99999999H", int.MaxValue)]
    [InlineData("", int.MaxValue)]
    [InlineData("5", int.MaxValue)]
    [InlineData("-5S", int.MaxValue)]
    [InlineData("5s", int.MaxValue)]
    [InlineData("123456789S", int.MaxValue)]
    public void A_timeout_is_read_as_the_protocol_writes_it(string text, int milliseconds) =>
        Assert.Equal(milliseconds, GatewayGrpc.Asked(new HeaderDictionary { ["grpc-timeout"] = new StringValues(text) }));

    private static HttpRequestMessage Call(string path = "/orders/v1/orders")
    {
        var request = ProtocolTests.Request(HttpMethod.Post, 2, path);
        request.Headers.TE.Add(new("trailers"));
        return request;
    }

    private static ByteArrayContent Message(string text) =>
        new([0, 0, 0, 0, (byte)text.Length, .. text.Select(static c => (byte)c)]) { Headers = { ContentType = new("application/grpc") } };

    private sealed class Duplex : HttpContent
    {
        private readonly TaskCompletionSource<Stream> _stream;
        private readonly Task _done;

        public Duplex(TaskCompletionSource<Stream> stream, Task done)
        {
            (_stream, _done) = (stream, done);
            Headers.ContentType = new("application/grpc");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.FlushAsync();
            _stream.SetResult(stream);
            await _done;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
