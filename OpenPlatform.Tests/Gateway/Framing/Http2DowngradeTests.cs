using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using OpenPlatform.Tests.Gateway.Forwarding.Direct;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>
/// HTTP/2 carries a head as pairs of bytes and can say in them what ends a line in HTTP/1. Whatever a client says so, a backend of HTTP/1 gets one request,
/// whose lines are lines, or none.
/// </summary>
public sealed partial class Http2DowngradeTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("x-a: b\r\nx-injected", "c")]
    [InlineData("x-a\r\n\r\nGET /smuggled HTTP/1.1\r\nx-b", "c")]
    [InlineData("x-a\nx-injected", "c")]
    [InlineData("x-a:x-injected", "c")]
    [InlineData("x-a x-injected", "c")]
    [InlineData("transfer-encoding ", "chunked")]
    [InlineData(" transfer-encoding", "chunked")]
    [InlineData("transfer-encoding", "chunked")]
    [InlineData("content-length ", "10")]
    [InlineData("content-length", "10")]
    [InlineData("content-length\t", "10")]
    [InlineData("x-a", "b\r\nx-injected: c")]
    [InlineData("x-a", "b\nx-injected: c")]
    [InlineData("x-a", "b\rx-injected: c")]
    [InlineData("", "c")]
    [InlineData("connection", "x-api-key")]
    [InlineData("host", "injected\r\nx-injected: c")]
    [InlineData(":path", "/orders/v1/orders HTTP/1.1\r\nx-injected: c\r\nx-b: d")]
    [InlineData(":path", "/orders/v1/orders?a=b HTTP/1.1\r\nx-injected: c\r\nx-b: d")]
    [InlineData(":method", "GET /smuggled HTTP/1.1\r\nx-injected: c\r\nx-b: d")]
    [InlineData(":method", "GET ")]
    [InlineData(":authority", "a\r\nx-injected: c")]
    public async Task One_request_of_whole_lines_or_none(string name, string value)
    {
        await using var backend = RawBackend.Start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var isAnswered = await AskAsync(gateway.ClientOptions.BaseAddress.Port, name, value);
        Assert.InRange(backend.Requests.Count, 0, isAnswered ? 1 : 0);
        foreach (var head in backend.Requests)
        {
            Assert.Matches(WholeLines(), head);
            Assert.DoesNotContain("\nx-injected", head, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("\ncontent-length", head, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("\ntransfer-encoding", head, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task An_ordinary_request_passes()
    {
        await using var backend = RawBackend.Start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        Assert.True(await AskAsync(gateway.ClientOptions.BaseAddress.Port, "x-a", "b"));
        Assert.Matches(WholeLines(), Assert.Single(backend.Requests));
        Assert.Contains("\r\nx-a: b\r\n", backend.Requests.Single(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Crumbs_of_a_cookie_are_one_line_and_a_Host_beside_the_authority_is_not_passed_on()
    {
        await using var backend = RawBackend.Start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var wire = await Http2Wire.ConnectAsync(gateway.ClientOptions.BaseAddress.Port, Stop);
        var frames = Http2Frames.Of("headers:end :method=GET|:scheme=http|:path=/orders/v1/orders|:authority=api.example|host=evil.example|cookie=a=1|cookie=b=2|x-api-key={key}", basePath: "");
        await wire.SendAsync(frames.Bytes, Stop);
        await wire.ReadUntilEndedAsync(frames.Streams, Stop);
        var head = Assert.Single(backend.Requests);
        Assert.Contains("\r\nCookie: a=1; b=2\r\n", head, StringComparison.OrdinalIgnoreCase); // RFC 9113, 8.2.3
        Assert.DoesNotContain("evil", head, StringComparison.Ordinal);
    }

    [GeneratedRegex("^GET /[!-~]* HTTP/1\\.1\r\n([!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\r\n\0]*\r\n)+\r\n$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex WholeLines();

    /// <summary>Asks with this field in place of, or beside, the usual ones.</summary>
    /// <returns>True when an answer came; false when the stream or the connection was ended instead.</returns>
    private static async Task<bool> AskAsync(int port, string name, string value)
    {
        (string Name, string Value)[] usual =
            [(":method", "GET"), (":scheme", "http"), (":path", "/orders/v1/orders"), (":authority", "a"), ("x-api-key", TestSnapshot.Key)];
        var block = new List<byte>();
        foreach (var (n, v) in usual.Select(field => field.Name == name ? (name, value) : field))
        {
            Literal(block, n, v);
        }

        if (!usual.Any(field => field.Name == name))
        {
            Literal(block, name, value);
        }

        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port, Stop);
        var stream = client.GetStream();
        await stream.WriteAsync((byte[])[.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(type: 4, flags: 0, id: 0, []), .. Frame(type: 1, flags: 5, id: 1, [.. block])], Stop);
        var head = new byte[9];
        while (await stream.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, Stop) == head.Length)
        {
            var (length, type, id) = ((head[0] << 16) | BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(1)), head[3], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)));
            await stream.ReadExactlyAsync(new byte[length], Stop);
            if (type is 7 || id == 1)
            {
                return type == 1;
            }
        }

        return false;
    }

    /// <summary>RFC 7541, 6.2.2, without Huffman.</summary>
    private static void Literal(List<byte> block, string name, string value)
    {
        block.Add(0);
        foreach (var text in new[] { name, value })
        {
            block.Add((byte)text.Length); // below 127
            block.AddRange(Encoding.Latin1.GetBytes(text));
        }
    }

    private static byte[] Frame(byte type, byte flags, int id, byte[] payload)
    {
        byte[] frame = [(byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags, 0, 0, 0, 0, .. payload];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), id);
        return frame;
    }
}
