using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>A client of HTTP/2 that sends whatever frames it is told to, and keeps what became of each stream.</summary>
internal sealed class Http2Wire : IDisposable
{
    private static readonly string[] Codes =
    [
        "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
        "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
    ];

    private readonly TcpClient _client = new();
    private readonly SortedDictionary<int, string> _streams = [];
    private readonly HashSet<int> _ended = [];
    private NetworkStream _stream = null!;
    private string? _end;

    public bool HasEnded => _end is not null;

    /// <summary>What the server said: of each stream the status or why it was reset; or why it ended the connection, whatever was answered before that.</summary>
    public string Outcome => _end ?? string.Join(',', _streams.Values);

    public static async Task<Http2Wire> ConnectAsync(int port, CancellationToken stop)
    {
        var wire = new Http2Wire();
        await wire._client.ConnectAsync(IPAddress.Loopback, port, stop);
        wire._stream = wire._client.GetStream();

        // A table of no bytes: what the server answers is then in itself what it says.
        await wire.SendAsync((byte[])[.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(type: 4, flags: 0, id: 0, [0, 1, 0, 0, 0, 0])], stop);
        return wire;
    }

    /// <summary>A server that has ended the connection reads no more: that is no failure of the one who sends.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken stop)
    {
        try
        {
            await _stream.WriteAsync(bytes, stop);
        }
        catch (IOException)
        {
        }
    }

    /// <summary>Reads until these streams have ended, or the connection has.</summary>
    public async Task ReadUntilEndedAsync(IReadOnlyCollection<int> streams, CancellationToken stop)
    {
        var head = new byte[9];
        try
        {
            while (!HasEnded && !streams.All(_ended.Contains))
            {
                await _stream.ReadExactlyAsync(head, stop);
                var (length, type, flags, id) = ((head[0] << 16) | BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(1)), head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)));
                var payload = new byte[length];
                await _stream.ReadExactlyAsync(payload, stop);
                Read(type, flags, id, payload);
            }
        }
        catch (Exception e) when (e is IOException)
        {
            _end = "closed";
        }
    }

    public void Dispose() => _client.Dispose();

    public static byte[] Frame(byte type, byte flags, int id, ReadOnlySpan<byte> payload)
    {
        byte[] frame = [(byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags, 0, 0, 0, 0, .. payload];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), id);
        return frame;
    }

    /// <summary>RFC 7541, 6.2.2: a new name, not to be indexed, without Huffman.</summary>
    public static byte[] Field(string name, string value) => [0, .. Text(name), .. Text(value)];

    private static byte[] Text(string text)
    {
        var bytes = Encoding.Latin1.GetBytes(text);
        return [.. Length(bytes.Length), .. bytes];
    }

    /// <summary>RFC 7541, 5.1, with a prefix of seven bits.</summary>
    private static List<byte> Length(int length)
    {
        if (length < 127)
        {
            return [(byte)length];
        }

        List<byte> bytes = [127];
        for (length -= 127; length >= 128; length >>= 7)
        {
            bytes.Add((byte)((length & 127) | 128));
        }

        return [.. bytes, (byte)length];
    }

    private void Read(byte type, byte flags, int id, byte[] payload)
    {
        switch (type)
        {
            case 1 when Status(payload) is var status and not 100:
                _streams.TryAdd(id, status.ToString(CultureInfo.InvariantCulture)); // what comes second are trailers
                break;
            case 3 when !_ended.Contains(id): // after a whole answer it says that the rest of the request is not wanted (RFC 9113, 8.1)
                _streams[id] = $"{_streams.GetValueOrDefault(id)} reset {Codes[payload[3]]}".TrimStart();
                break;
            case 7:
                _end = $"goaway {Codes[payload[7]]}";
                break;
        }

        if (type == 3 || (type is 0 or 1 && (flags & 1) == 1))
        {
            _ended.Add(id);
        }
    }

    /// <summary>It comes first (RFC 9113, 8.3), from the static table or as digits.</summary>
    private static int Status(byte[] block)
    {
        var at = block.AsSpan().IndexOfAnyExceptInRange((byte)0x20, (byte)0x3f); // what the table may hold from now on
        return block[at] switch
        {
            >= 0x88 and <= 0x8e and var indexed => (int[])[200, 204, 206, 304, 400, 404, 500] is var known ? known[indexed - 0x88] : 0,
            _ => int.Parse(Encoding.ASCII.GetString(block, at + 2, block[at + 1]), CultureInfo.InvariantCulture),
        };
    }
}
