using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>A name server on loopback, UDP and TCP on one port.</summary>
internal sealed class NameServer : IAsyncDisposable
{
    private readonly Socket _udp = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly TcpListener _tcp;
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<byte[], byte[]> _answer;
    private readonly bool _truncated;
    private readonly Task _running;
    private int _queries;

    public NameServer(Func<byte[], byte[]> answer, bool truncated)
    {
        _answer = answer;
        _truncated = truncated;
        _tcp = new TcpListener(IPAddress.Loopback, 0);
        _tcp.Start();
        Address = (IPEndPoint)_tcp.LocalEndpoint;
        _udp.Bind(Address);
        _running = Task.WhenAll(UdpAsync(), TcpAsync());
    }

    public IPEndPoint Address { get; }

    /// <summary>SRV records for any query; the targets are <c>i0</c>, <c>i1</c> and so on, each with one address in the additional section.</summary>
    public static byte[] Services(byte[] query, int ttl, params (int Priority, int Weight, int Port, IPAddress Address)[] records)
    {
        static byte[] Short(int value) => [(byte)(value >> 8), (byte)value];
        var message = new List<byte>(query) { [2] = 0x81, [3] = 0x80, [7] = (byte)records.Length, [11] = (byte)records.Length };
        for (var i = 0; i < records.Length; i++)
        {
            var (priority, weight, port, _) = records[i];
            message.AddRange([0xc0, 12, 0, 33, 0, 1, 0, 0, .. Short(ttl), 0, 10, .. Short(priority), .. Short(weight), .. Short(port), 2, (byte)'i', (byte)('0' + i), 0]);
        }

        for (var i = 0; i < records.Length; i++)
        {
            message.AddRange([2, (byte)'i', (byte)('0' + i), 0, 0, 1, 0, 1, 0, 0, .. Short(ttl), 0, 4, .. records[i].Address.GetAddressBytes()]);
        }

        return [.. message];
    }

    public static byte[] NoSuchName(byte[] query) => [query[0], query[1], 0x81, 0x83, .. query[4..]];

    public int Queries => Volatile.Read(ref _queries);

    private async Task UdpAsync()
    {
        var buffer = new byte[512];
        while (true)
        {
            var received = await _udp.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), _stop.Token);
            Interlocked.Increment(ref _queries);
            var query = buffer[..received.ReceivedBytes];
            var answer = _truncated ? [query[0], query[1], 0x83, 0x80, .. query[4..]] : _answer(query);
            await _udp.SendToAsync(answer, received.RemoteEndPoint, _stop.Token);
        }
    }

    private async Task TcpAsync()
    {
        while (true)
        {
            using var client = await _tcp.AcceptTcpClientAsync(_stop.Token);
            var stream = client.GetStream();
            var length = new byte[2];
            await stream.ReadExactlyAsync(length, _stop.Token);
            var query = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
            await stream.ReadExactlyAsync(query, _stop.Token);
            var answer = _answer(query);
            await stream.WriteAsync((byte[])[(byte)(answer.Length >> 8), (byte)answer.Length, .. answer], _stop.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _udp.Dispose();
        _tcp.Dispose();
        _stop.Dispose();
    }
}
