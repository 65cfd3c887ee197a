using System.Diagnostics;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Protocols;

/// <summary>Clients and servers that nobody here wrote, on both sides of the gateway.</summary>
public sealed class PeerTests : IAsyncLifetime
{
    private const string Path = "/orders/v1/orders";
    private TestBackend _backend = null!;
    private TestCatalog _catalog = null!;
    private GatewayHost _gateway = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private Uri Address => _gateway.ClientOptions.BaseAddress;

    private Uri Url => new(Address, Path);

    public async ValueTask InitializeAsync()
    {
        _backend = await TestBackend.StartAsync();
        _catalog = await TestCatalog.StartAsync(TestSnapshot.Create([_backend.Address]));
        _gateway = await GatewayHost.StartAsync(_catalog);
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _catalog.DisposeAsync();
        await _backend.DisposeAsync();
    }

    [Theory]
    [InlineData("--http1.0", "1.1")] // the version of the answer is the server's own (RFC 9110, 2.5)
    [InlineData("--http1.1", "1.1")]
    [InlineData("--http2-prior-knowledge", "2")]
    [InlineData("--http2", "1.1")] // an upgrade to h2c is offered and not taken up
    public async Task Curl(string option, string version)
    {
        var output = await RunAsync("curl", "-sS", option, "-w", " %{http_code} %{http_version}", "-H", "X-Api-Key: " + TestSnapshot.Key, Url.ToString());
        Assert.Equal($"hello 200 {version}", output.Trim());
    }

    [Fact]
    public async Task Nghttp()
    {
        var output = await RunAsync("nghttp", "-v", "-H", "x-api-key: " + TestSnapshot.Key, Url.ToString(), Url.ToString());
        Assert.Contains(":status: 200", output, StringComparison.Ordinal);
        Assert.Contains("hello", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--h1")]
    [InlineData("-m10")]
    public async Task H2load_fails_no_request(string option)
    {
        var output = await RunAsync("h2load", option, "-n2000", "-c4", "-H", "x-api-key: " + TestSnapshot.Key, Url.ToString());
        Assert.Contains("2000 succeeded, 0 failed, 0 errored, 0 timeout", output, StringComparison.Ordinal);
        Assert.Contains("status codes: 2000 2xx", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wrk_fails_no_request()
    {
        var output = await RunAsync("wrk", "-t1", "-c8", "-d2s", "-H", "X-Api-Key: " + TestSnapshot.Key, Url.ToString());
        Assert.Matches("[1-9][0-9]* requests in", output);
        Assert.DoesNotContain("Non-2xx", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Socket errors", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_grpc_js_client_calls_a_grpc_js_server_in_all_four_ways()
    {
        var folder = await NodePeers.InstallAsync();
        await using var server = await NodePeers.StartAsync(folder, "grpc-server.js");
        var template = TestSnapshot.Create([new($"http://127.0.0.1:{server.Port}")], revision: 2);
        _catalog.Publish(template with
        {
            Backends = [template.Backends[0] with { Protocol = BackendProtocol.Http2 }],
            Apis = [template.Apis[0] with
            {
                BasePath = "/peers.Greeter",
                Operations = [.. new[] { "Hello", "Down", "Up", "Both", "Never" }.Select(static name => new OperationModel(name, "POST", "/" + name))],
            }],
        });
        await Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == 2);

        var output = await RunAsync("node", System.IO.Path.Combine(folder, "grpc-client.js"), $"{Address.Port}", TestSnapshot.Key);
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
            ["unary: hello you seen", "error: 5 nobody – here seen", "server stream: 100 d99", "client stream: a+b+c", "both: hello 1, hello 2, hello 3", "deadline: 4"],
            lines[..^1]);
        Assert.Matches("^refused: 16 .*urn:openplatform:refusal:missing-key", lines[^1]);
    }

    [Fact]
    public async Task A_ws_client_talks_to_a_ws_server()
    {
        var folder = await NodePeers.InstallAsync();
        await using var server = await NodePeers.StartAsync(folder, "ws-server.js");
        _catalog.Publish(TestSnapshot.Create([new($"http://127.0.0.1:{server.Port}")], revision: 2));
        await Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == 2);

        var output = await RunAsync("node", System.IO.Path.Combine(folder, "ws-client.js"), new UriBuilder(Url) { Scheme = "ws" }.Uri.ToString(), TestSnapshot.Key);
        Assert.Equal("text, 100000, in two parts, ping, 4000 enough", output.Trim());
    }

    internal static async Task<string> RunAsync(string program, params string[] arguments)
    {
        NodePeers.Require(program);
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(Stop);
            var errors = process.StandardError.ReadToEndAsync(Stop);
            await process.WaitForExitAsync(Stop).WaitAsync(TimeSpan.FromSeconds(60));
            Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {await output}{await errors}");
            return await output;
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }
}
