using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Protocols;

/// <summary>How a gateway leaves: real processes and SIGTERM.</summary>
public sealed class DrainTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_gateway_asked_to_stop_under_load_fails_no_request_loses_no_usage_and_ends_with_0(int version)
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        var state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
        await using (var leaves = await Processes.StartGatewayAsync(catalog, state))
        await using (var stays = await Processes.StartGatewayAsync(catalog, state))
        {
            // What a load balancer does: new connections go to whoever says it is healthy.
            var front = leaves.Address;
            var load = Load.Start(() => Client(() => Volatile.Read(ref front), version), "/orders/v1/orders", clients: 4);
            await Eventually.TrueAsync(() => load.Answers > 200, TimeSpan.FromSeconds(30));
            leaves.Terminate();
            await Eventually.TrueAsync(() => IsDrainingAsync(leaves.Address), TimeSpan.FromSeconds(30));
            Volatile.Write(ref front, stays.Address);

            Assert.Equal(0, await leaves.ExitCodeAsync());
            var answers = load.Answers;
            await Eventually.TrueAsync(() => load.Answers > answers + 200, TimeSpan.FromSeconds(30));
            Assert.Empty(await load.StopAsync());

            stays.Terminate();
            Assert.Equal(0, await stays.ExitCodeAsync());
            Assert.Equal(load.Answers, catalog.Units);
        }

        Directory.Delete(state, recursive: true);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task What_is_in_flight_is_finished_and_a_WebSocket_is_closed_as_going_away(int version)
    {
        var release = new TaskCompletionSource();
        await using var backend = await ProtocolBackend.StartAsync(HttpProtocols.Http1, async context =>
        {
            if (context.WebSockets.IsWebSocketRequest)
            {
                await ProtocolBackend.EchoAsync(context);
                return;
            }

            await release.Task;
            await context.Response.WriteAsync("finished");
        });
        await using var catalog = await TestCatalog.StartAsync(ProtocolTests.Snapshot(backend, "http1"));
        var state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
        await using (var gateway = await Processes.StartGatewayAsync(catalog, state))
        {
            using var socket = await ProtocolTests.ConnectAsync(gateway.Address, version);
            await ProtocolTests.EchoAsync(socket, 100);
            using var http = gateway.Client();
            var slow = http.GetStringAsync("/orders/v1/orders", Stop);
            await Eventually.TrueAsync(() => backend.Requests.Count == 2);
            gateway.Terminate();

            var closed = await socket.ReceiveAsync(new byte[100], Stop);
            Assert.Equal((WebSocketMessageType.Close, WebSocketCloseStatus.EndpointUnavailable), (closed.MessageType, closed.CloseStatus)); // 1001
            await socket.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, null, Stop);

            await Eventually.TrueAsync(() => IsClosedAsync(gateway.Address), TimeSpan.FromSeconds(30));
            Assert.False(gateway.HasExited);
            release.SetResult();
            Assert.Equal("finished", await slow);
            Assert.Equal(0, await gateway.ExitCodeAsync());
        }

        Directory.Delete(state, recursive: true);
    }

    private static HttpClient Client(Func<Uri> front, int version) => new(new SocketsHttpHandler
    {
        UseProxy = false,
        ConnectCallback = async (_, stop) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, front().Port, stop);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    {
        BaseAddress = new("http://front"),
        DefaultRequestHeaders = { { "X-Api-Key", TestSnapshot.Key } },
        DefaultRequestVersion = new(version, version == 1 ? 1 : 0),
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Timeout = TimeSpan.FromSeconds(30),
    };

    private static async Task<bool> IsDrainingAsync(Uri address)
    {
        using var http = new HttpClient();
        using var response = await http.GetAsync(new Uri(address, "/health"), Stop);
        return response.StatusCode == HttpStatusCode.ServiceUnavailable;
    }

    private static async Task<bool> IsClosedAsync(Uri address)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, address.Port, Stop);
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
    }
}
