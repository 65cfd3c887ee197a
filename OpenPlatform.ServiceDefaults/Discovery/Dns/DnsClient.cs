using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace OpenPlatform.ServiceDefaults.Discovery.Dns;

/// <summary>Asks name servers for SRV records: over UDP, and over TCP when the answer does not fit. (Addresses come from the system's resolver.)</summary>
public sealed class DnsClient(IReadOnlyList<IPEndPoint> servers, TimeSpan timeout, int attempts, TimeProvider time)
{
    private const int MaxUdpBytes = 4096;

    /// <exception cref="DnsException">No server answered rightly.</exception>
    public async Task<DnsServices> ServicesAsync(string name, CancellationToken cancellationToken)
    {
        Exception? last = null;
        for (var attempt = 0; attempt < attempts; attempt++)
        {
            foreach (var server in servers)
            {
                using var limit = new CancellationTokenSource(timeout, time);
                using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
                try
                {
                    // A fresh random id and, through a fresh socket, a fresh random port: what RFC 5452 asks against forged answers.
                    var query = DnsMessage.Query((ushort)RandomNumberGenerator.GetInt32(0x10000), name, DnsType.Srv);
                    var answer = await OverUdpAsync(server, query, linked.Token);
                    if (DnsMessage.IsTruncated(answer))
                    {
                        answer = await OverTcpAsync(server, query, linked.Token);
                    }

                    return DnsMessage.ReadServices(answer);
                }
                catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
                {
                    last = new TimeoutException($"{server} did not answer within {timeout.TotalSeconds} s.", e);
                }
                catch (Exception e) when (e is SocketException or IOException or DnsException)
                {
                    last = e;
                }
            }
        }

        throw new DnsException($"SRV {name} cannot be looked up: {last?.Message ?? "no name server is known"}", last);
    }

    private static async Task<byte[]> OverUdpAsync(IPEndPoint server, byte[] query, CancellationToken cancellationToken)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, cancellationToken); // from now on only this server's datagrams arrive
        await socket.SendAsync(query, cancellationToken);
        var buffer = new byte[MaxUdpBytes];
        while (true)
        {
            var count = await socket.ReceiveAsync(buffer, cancellationToken);
            if (DnsMessage.Answers(buffer.AsSpan(0, count), query))
            {
                return buffer[..count];
            }
        }
    }

    private static async Task<byte[]> OverTcpAsync(IPEndPoint server, byte[] query, CancellationToken cancellationToken)
    {
        using var client = new TcpClient(server.AddressFamily);
        await client.ConnectAsync(server, cancellationToken);
        var stream = client.GetStream();
        byte[] length = [(byte)(query.Length >> 8), (byte)query.Length];
        await stream.WriteAsync((byte[])[.. length, .. query], cancellationToken);
        await stream.ReadExactlyAsync(length, cancellationToken);
        var answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await stream.ReadExactlyAsync(answer, cancellationToken);
        return DnsMessage.Answers(answer, query) ? answer : throw new DnsException("The DNS server answers something else over TCP.");
    }
}
