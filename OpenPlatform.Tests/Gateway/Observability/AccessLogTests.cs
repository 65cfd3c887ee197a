using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using OpenPlatform.Gateway.Observability;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Observability;

public sealed class AccessLogTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1.0, 3)]
    [InlineData(0.0, 2)]
    public async Task A_line_for_every_refusal_and_failure_and_for_a_sample_of_the_rest(double sample, int expected)
    {
        await using var backend = await TestBackend.StartAsync(static context =>
        {
            context.Response.StatusCode = context.Request.Path.Value!.EndsWith("bad", StringComparison.Ordinal) ? 500 : 200;
            return Task.CompletedTask;
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        var file = Path.Combine(Directory.CreateTempSubdirectory("openplatform-access-").FullName, "access.log");
        await using (var gateway = await GatewayHost.StartAsync(catalog, settings:
        [
            ("OpenPlatform:Gateway:Observability:AccessLog", "File"), ("OpenPlatform:Gateway:Observability:AccessLogFile", file),
            ("OpenPlatform:Gateway:Observability:AccessLogSample", sample.ToString(CultureInfo.InvariantCulture)),
        ]))
        {
            using var client = gateway.Client();
            using var fine = await client.GetAsync("/orders/v1/orders/1?secret=query", Stop);
            using var bad = await client.GetAsync("/orders/v1/orders/bad", Stop);
            using var stranger = gateway.Client("key-that-nobody-has");
            using var refused = await stranger.GetAsync("/orders/v1/orders/1", Stop);
            await Eventually.TrueAsync(() => File.ReadAllLines(file).Length >= expected);
        }

        var text = await File.ReadAllTextAsync(file, Stop);
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => JsonDocument.Parse(line).RootElement).ToArray();
        Assert.Equal(expected, lines.Length);
        var refusal = lines.Single(static line => line.TryGetProperty("refusal", out _));
        Assert.Equal("unknown-key", refusal.GetProperty("refusal").GetString());
        Assert.Equal("/orders/v1/orders/{id}", refusal.GetProperty("route").GetString());
        Assert.Contains(lines, static line => line.GetProperty("status").GetInt32() == 500 && line.TryGetProperty("instance", out _));
        Assert.DoesNotContain("secret", text, StringComparison.Ordinal);
        Assert.DoesNotContain(TestSnapshot.Key, text, StringComparison.Ordinal);
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Fact]
    public async Task What_the_server_refuses_before_it_is_a_request_has_its_line()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("openplatform-access-").FullName, "access.log");
        await using (var gateway = await GatewayHost.StartAsync(catalog: null, untilReady: false, settings:
            [("OpenPlatform:Gateway:Observability:AccessLog", "File"), ("OpenPlatform:Gateway:Observability:AccessLogFile", file), ("OpenPlatform:Gateway:Observability:AccessLogSample", "0")]))
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, gateway.ClientOptions.BaseAddress.Port, Stop);
            await client.GetStream().WriteAsync((byte[])[.. "GET / HTTP/1.1\r\nHost: a\r\nx: "u8, 0xff, .. "\r\n\r\n"u8], Stop);
            using var answer = new StreamReader(client.GetStream());
            var text = await answer.ReadToEndAsync(Stop);
            await Eventually.TrueAsync(() => File.ReadAllLines(file).Length > 0);
            var line = JsonDocument.Parse(Assert.Single(await File.ReadAllLinesAsync(file, Stop))).RootElement;
            Assert.Equal((400, "malformed-request", "127.0.0.1"), (line.GetProperty("status").GetInt32(), line.GetProperty("refusal").GetString(), line.GetProperty("client").GetString()));
            Assert.Contains($"\r\nX-Request-Id: {line.GetProperty("requestId").GetString()}\r\n", text, StringComparison.Ordinal);
        }

        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Fact]
    public void A_full_queue_refuses_and_loses_nothing_it_took()
    {
        var queue = new RecordQueue<int>(1024);
        var added = 0;
        Parallel.For(0, 8, thread =>
        {
            for (var i = 0; i < 500; i++)
            {
                if (queue.TryAdd((thread * 1000) + i))
                {
                    Interlocked.Increment(ref added);
                }
            }
        });
        Assert.Equal(1024, added);

        var taken = new List<int>();
        while (queue.TryTake(out var value))
        {
            taken.Add(value);
        }

        Assert.Equal(1024, taken.Distinct().Count());
        Assert.All(taken.GroupBy(static v => v / 1000), static thread => Assert.Equal(thread.Order(), thread)); // each writer's in its order
        Assert.True(queue.TryAdd(1));
    }
}
