using System.Net;
using System.Net.Sockets;
using System.Text;
using OpenPlatform.Tests.Gateway.Forwarding.Direct;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>A client of HTTP/1.0 is guarded as any other.</summary>
public sealed class Http10Tests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("")]
    [InlineData("Content-Length: 2\r\n")]
    public async Task What_Connection_names_ends_at_the_gateway(string framing)
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var method = framing.Length == 0 ? "GET" : "POST";
        var answer = await AskAsync(gateway, $"{method} /orders/v1/orders HTTP/1.0\r\nX-Api-Key: {TestSnapshot.Key}\r\nConnection: keep-alive, X-Hop, close\r\nX-Hop: a\r\nX-Stays: b\r\n{framing}\r\n{(framing.Length == 0 ? "" : "{}")}");
        Assert.StartsWith("HTTP/1.1 200 OK", answer, StringComparison.Ordinal);
        var seen = Assert.Single(backend.Requests, static request => request.Headers.ContainsKey("Via")).Headers;
        Assert.Equal((false, true), (seen.ContainsKey("X-Hop"), seen.ContainsKey("X-Stays")));
    }

    [Fact]
    public async Task A_refusal_of_the_backend_stays_the_backends()
    {
        await using var backend = RawBackend.Start("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var answer = await AskAsync(gateway, $"GET /orders/v1/orders HTTP/1.0\r\nX-Api-Key: {TestSnapshot.Key}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 400 Bad Request", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("problem", answer, StringComparison.Ordinal);
    }

    private static async Task<string> AskAsync(GatewayHost gateway, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, gateway.ClientOptions.BaseAddress.Port, Stop);
        await client.Client.SendAsync(Encoding.ASCII.GetBytes(request), Stop);
        using var text = new StreamReader(client.GetStream(), Encoding.ASCII);
        return await text.ReadToEndAsync(Stop);
    }
}
