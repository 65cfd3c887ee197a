using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Gateway.Framing;
using OpenPlatform.Gateway.Observability;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>What the server under the pipeline refuses by itself looks like any other refusal.</summary>
public sealed class ServerRefusalTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_Kestrel_refuses_has_a_problem_for_its_content_and_ends_the_connection()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var good = $"GET /orders/v1/orders HTTP/1.1\r\nHost: a\r\nX-Api-Key: {TestSnapshot.Key}\r\n\r\n";
        foreach (var (what, raw, status, slug) in new[]
        {
            ("long request line", $"GET /{new string('a', 9000)} HTTP/1.1\r\nHost: a\r\n\r\n", 414, "request-line-too-long"),
            ("too many fields", $"GET / HTTP/1.1\r\nHost: a\r\n{string.Concat(Enumerable.Range(0, 120).Select(static i => $"x{i}: 1\r\n"))}\r\n", 431, "request-head-too-large"),
            ("a long field", $"GET / HTTP/1.1\r\nHost: a\r\nx: {new string('a', 34_000)}\r\n\r\n", 431, "request-head-too-large"),
            ("bytes that are no text", "GET / HTTP/1.1\r\nHost: a\r\nx: \u00ff\r\n\r\n", 400, "malformed-request"),
        })
        {
            foreach (var before in new[] { "", good })
            {
                var text = await ExchangeAsync(gateway.ClientOptions.BaseAddress.Port, before + raw);
                if (before.Length > 0)
                {
                    Assert.StartsWith("HTTP/1.1 200 OK", text, StringComparison.Ordinal);
                    text = text[text.LastIndexOf("HTTP/1.1 ", StringComparison.Ordinal)..];
                }

                Assert.True(text.StartsWith($"HTTP/1.1 {status} ", StringComparison.Ordinal), $"{what}: {text}");
                var (head, body) = (text[..text.IndexOf("\r\n\r\n", StringComparison.Ordinal)], text[(text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
                Assert.Contains("\r\nContent-Type: application/problem+json\r\n", head, StringComparison.Ordinal);
                Assert.Contains("\r\nConnection: close", head, StringComparison.Ordinal);
                Assert.Contains($"\r\nContent-Length: {body.Length}", head, StringComparison.Ordinal);
                var problem = JsonElement.Parse(body);
                Assert.Equal(("urn:openplatform:refusal:" + slug, status), (problem.GetProperty("type").GetString(), problem.GetProperty("status").GetInt32()));
                Assert.Contains($"\r\nX-Request-Id: {problem.GetProperty("requestId").GetString()}", head, StringComparison.Ordinal);
            }
        }
    }

    /// <summary>A backend's content that looks like an answer of the server must not become another one.</summary>
    [Fact]
    public async Task An_answer_of_a_backend_passes_whatever_it_looks_like()
    {
        const string Trap = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        await using var backend = await TestBackend.StartAsync(static async context =>
        {
            if (context.Request.Path == "/orders/1")
            {
                context.Response.StatusCode = 400;
                context.Response.ContentLength = 0;
                return;
            }

            context.Response.ContentLength = Trap.Length;
            await context.Response.StartAsync(context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            await Task.Delay(50, context.RequestAborted); // comes by itself
            await context.Response.WriteAsync(Trap, context.RequestAborted);
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        Assert.Equal(Trap, await client.GetStringAsync("/orders/v1/orders", Stop));
        using var own = await client.GetAsync("/orders/v1/orders/1", Stop);
        Assert.Equal((HttpStatusCode.BadRequest, 0), (own.StatusCode, own.Content.Headers.ContentLength));
    }

    [Theory]
    [InlineData("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "request-head-timeout")]
    [InlineData("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", null)]
    [InlineData("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n", null)]
    [InlineData("HTTP/1.1 400 Bad Request\r\nContent-Length: 1\r\n\r\n", null)]
    [InlineData("HTTP/1.1 4", null)]
    [InlineData("", null)]
    public async Task Only_whole_heads_without_content_get_one(string written, string? slug)
    {
        var pipe = new Pipe();
        await using var services = new ServiceCollection().AddMetrics().AddSingleton(TimeProvider.System).AddSingleton<GatewayMetrics>().AddSingleton<RefusalWriter>().AddSingleton<AccessLog>().AddSingleton<EarlyRefusals>().BuildServiceProvider();
        var writer = new GuardedWriter(pipe.Writer, new GuardedReader(pipe.Reader), services.GetRequiredService<EarlyRefusals>(), client: null);
        Encoding.ASCII.GetBytes(written, writer.GetSpan(1024));
        writer.Advance(written.Length);
        await writer.CompleteAsync();
        var read = Encoding.ASCII.GetString((await pipe.Reader.ReadAtLeastAsync(1 << 16, Stop)).Buffer.ToArray());
        if (slug is null)
        {
            Assert.Equal(written, read);
        }
        else
        {
            Assert.Contains($"urn:openplatform:refusal:{slug}\"", read, StringComparison.Ordinal);
        }
    }

    /// <summary>All that comes until the gateway ends the connection.</summary>
    private static async Task<string> ExchangeAsync(int port, string raw)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port, Stop);
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(raw), Stop);
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
        return await reader.ReadToEndAsync(Stop);
    }
}
