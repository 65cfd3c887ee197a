using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Protocols;

/// <summary>Which protocols are spoken on either side, and what streams through.</summary>
public sealed class ProtocolTests
{
    private const string Path = "/orders/v1/orders";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, "http1")]
    [InlineData(2, "http1")]
    [InlineData(1, "http2")]
    [InlineData(2, "http2")]
    public async Task Either_version_is_spoken_to_the_client_on_one_port_and_either_to_the_backend(int client, string protocol)
    {
        var isHttp2 = protocol == "http2";
        await using var backend = await ProtocolBackend.StartAsync(isHttp2 ? HttpProtocols.Http2 : HttpProtocols.Http1, static async context =>
        {
            var body = await new StreamReader(context.Request.Body).ReadToEndAsync(context.RequestAborted);
            await context.Response.WriteAsync("<" + body + ">", context.RequestAborted);
        });
        await using var catalog = await TestCatalog.StartAsync(Snapshot(backend, protocol));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var http = gateway.Client();
        for (var i = 0; i < 3; i++)
        {
            using var request = Request(HttpMethod.Post, client);
            request.Content = new StringContent($"order {i}");
            using var response = await http.SendAsync(request, Stop);
            Assert.Equal($"<order {i}>", await response.Content.ReadAsStringAsync(Stop));
            Assert.Equal(new Version(client, client == 1 ? 1 : 0), response.Version);
        }

        Assert.All(backend.Requests, r => Assert.Equal(isHttp2 ? "HTTP/2" : "HTTP/1.1", r.Protocol));
    }

    [Fact]
    public void A_protocol_that_is_none_is_a_problem_of_the_backend()
    {
        var snapshot = TestSnapshot.Create([new("http://127.0.0.1:9")]);
        var problem = Assert.Single(SnapshotValidator.Validate(snapshot with { Backends = [snapshot.Backends[0] with { Protocol = "spdy" }] }));
        Assert.Equal("/backends/0/protocol", problem.Pointer);
    }

    [Fact]
    public async Task Over_TLS_the_client_chooses_the_version_and_the_guard_reads_what_was_decrypted()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        using var certificate = new TemporaryCertificate();
        await using var gateway = await GatewayHost.StartAsync(catalog, settings:
        [
            ("Kestrel:Endpoints:Tls:Url", "https://127.0.0.1:0"), ("Kestrel:Endpoints:Tls:Certificate:Path", certificate.Path),
            ("Kestrel:Endpoints:Tls:Certificate:Password", TemporaryCertificate.Password),
        ]);
        var address = new Uri(gateway.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single());
        using var http = new HttpClient(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = certificate.IsThis } }) { BaseAddress = address };
        http.DefaultRequestHeaders.Add("X-Api-Key", TestSnapshot.Key);
        foreach (var version in new[] { 1, 2 })
        {
            using var request = Request(HttpMethod.Get, version);
            using var response = await http.SendAsync(request, Stop);
            Assert.Equal("hello", await response.Content.ReadAsStringAsync(Stop));
            Assert.Equal(version, response.Version.Major);
        }

        using var tcp = new TcpClient();
        await tcp.ConnectAsync(IPAddress.Loopback, address.Port, Stop);
        await using var tls = new SslStream(tcp.GetStream(), leaveInnerStreamOpen: false, certificate.IsThis);
        await tls.AuthenticateAsClientAsync("localhost");
        await tls.WriteAsync(Encoding.ASCII.GetBytes($"GET {Path} HTTP/1.1\r\nHost: a\r\nHost: b\r\nX-Api-Key: {TestSnapshot.Key}\r\n\r\n"), Stop);
        using var reader = new StreamReader(tls);
        var answer = await reader.ReadToEndAsync(Stop);
        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Contains("urn:openplatform:refusal:bad-framing", answer, StringComparison.Ordinal);
        Assert.Equal(2, backend.Requests.Count);
    }

    [Theory]
    [InlineData(1, "http1")]
    [InlineData(2, "http1")]
    [InlineData(2, "http2")]
    public async Task A_WebSocket_goes_through_and_is_one_unit(int client, string protocol)
    {
        await using var backend = await ProtocolBackend.StartAsync(protocol == "http2" ? HttpProtocols.Http2 : HttpProtocols.Http1, ProtocolBackend.EchoAsync);
        await using var catalog = await TestCatalog.StartAsync(Snapshot(backend, protocol, new RateLimitModel(2, 3600)));
        await using (var gateway = await GatewayHost.StartAsync(catalog))
        {
            for (var i = 0; i < 2; i++)
            {
                using var socket = await ConnectAsync(gateway.ClientOptions.BaseAddress, client);
                await EchoAsync(socket, 5);
                await EchoAsync(socket, 60_000);
                await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Stop);
            }

            var refused = await Assert.ThrowsAsync<WebSocketException>(() => ConnectAsync(gateway.ClientOptions.BaseAddress, client)); // the limit is used up
            Assert.Contains("429", refused.ToString(), StringComparison.Ordinal);
        }

        Assert.Equal(2, catalog.Units);
    }

    [Fact]
    public async Task Events_arrive_one_by_one_and_the_head_before_the_first()
    {
        using var next = new SemaphoreSlim(0);
        await using var backend = await ProtocolBackend.StartAsync(HttpProtocols.Http1, async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.Body.FlushAsync(context.RequestAborted);
            for (var i = 0; i < 3; i++)
            {
                await next.WaitAsync(context.RequestAborted);
                await context.Response.WriteAsync($"data: {i}\n\n", context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        });
        await using var catalog = await TestCatalog.StartAsync(Snapshot(backend, "http1"));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var http = gateway.Client();
        using var request = Request(HttpMethod.Get, 1);
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop); // no event was sent yet
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Stop));
        for (var i = 0; i < 3; i++)
        {
            next.Release();
            Assert.Equal($"data: {i}", await reader.ReadLineAsync(Stop));
            await reader.ReadLineAsync(Stop);
        }
    }

    [Fact]
    public async Task Two_hundred_megabytes_go_each_way_through_a_process_that_does_not_grow_with_them()
    {
        const long Size = 200_000_000;
        await using var backend = await ProtocolBackend.StartAsync(HttpProtocols.Http1, static async context =>
        {
            var buffer = new byte[64 << 10];
            long total = 0;
            for (int count; (count = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0; total += count)
            {
            }

            context.Response.ContentLength = total;
            for (; total > 0; total -= Math.Min(total, buffer.Length))
            {
                await context.Response.Body.WriteAsync(buffer.AsMemory(0, (int)Math.Min(total, buffer.Length)), context.RequestAborted);
            }
        });
        await using var catalog = await TestCatalog.StartAsync(Snapshot(backend, "http1"));
        var state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
        await using (var gateway = await Processes.StartGatewayAsync(catalog, state))
        {
            using var http = gateway.Client();
            Assert.Equal(1_000_000, await SendAsync(http, 1_000_000)); // what one request costs at all
            var before = PeakKilobytes(gateway.Id);
            Assert.Equal(Size, await SendAsync(http, Size));
            Assert.InRange(PeakKilobytes(gateway.Id) - before, 0, 64 << 10);
        }

        Directory.Delete(state, recursive: true);

        static async Task<long> SendAsync(HttpClient http, long size)
        {
            using var request = Request(HttpMethod.Post, 1);
            request.Content = new StreamContent(new Zeros(size));
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
            var body = await response.Content.ReadAsStreamAsync(Stop);
            var buffer = new byte[64 << 10];
            long total = 0;
            for (int count; (count = await body.ReadAsync(buffer, Stop)) > 0; total += count)
            {
            }

            return total;
        }

        static long PeakKilobytes(int process) =>
            long.Parse(File.ReadLines($"/proc/{process}/status").Single(static l => l.StartsWith("VmHWM", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2]);
    }

    internal static Snapshot Snapshot(ProtocolBackend backend, string protocol, params RateLimitModel[] limits)
    {
        var snapshot = TestSnapshot.Create([backend.Address], limits: limits);
        return snapshot with { Backends = [snapshot.Backends[0] with { Protocol = protocol }] };
    }

    internal static HttpRequestMessage Request(HttpMethod method, int version, string path = Path) =>
        new(method, path) { Version = new(version, version == 1 ? 1 : 0), VersionPolicy = HttpVersionPolicy.RequestVersionExact };

    internal static async Task<ClientWebSocket> ConnectAsync(Uri gateway, int version)
    {
        var socket = new ClientWebSocket { Options = { HttpVersion = new(version, version == 1 ? 1 : 0), HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact, CollectHttpResponseDetails = true } };
        socket.Options.SetRequestHeader("X-Api-Key", TestSnapshot.Key);
        using var invoker = new HttpMessageInvoker(new SocketsHttpHandler());
        await socket.ConnectAsync(new UriBuilder(gateway) { Scheme = "ws", Path = Path }.Uri, version == 1 ? null : invoker, Stop);
        return socket;
    }

    internal static async Task EchoAsync(ClientWebSocket socket, int size)
    {
        var message = RandomNumberGenerator.GetBytes(size);
        await socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, Stop);
        var back = new byte[size];
        for (var at = 0; at < size;)
        {
            at += (await socket.ReceiveAsync(back.AsMemory(at), Stop)).Count;
        }

        Assert.Equal(message, back);
    }

    private sealed class Zeros(long size) : Stream
    {
        private long _left = size;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            var part = (int)Math.Min(count, _left);
            buffer.AsSpan(offset, part).Clear();
            _left -= part;
            return part;
        }

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }

    private sealed class TemporaryCertificate : IDisposable
    {
        public const string Password = "of-tests";

        private readonly string _hash;

        public TemporaryCertificate()
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
            using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            File.WriteAllBytes(Path, certificate.Export(X509ContentType.Pfx, Password));
            _hash = certificate.GetCertHashString();
        }

        public bool IsThis(object sender, X509Certificate? presented, X509Chain? chain, SslPolicyErrors errors) => presented?.GetCertHashString() == _hash;

        public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), System.IO.Path.GetRandomFileName() + ".pfx");

        public void Dispose() => File.Delete(Path);
    }
}
