using System.Net;
using System.Net.Sockets;

namespace OpenPlatform.Bench.Propagation;

/// <summary>What the gateways call: a process that says hello with as little of its own as can be, a thread for each connection and no allocation.</summary>
internal static class HelloBackend
{
    public const string Command = "hello-backend";

    private static readonly byte[] s_answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"u8.ToArray();

    public static void Run(string[] args)
    {
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, int.Parse(args[0])));
        listener.Listen();
        while (true)
        {
            var connection = listener.Accept();
            connection.NoDelay = true;
            new Thread(() => Serve(connection), 256 << 10) { IsBackground = true }.Start();
        }
    }

    private static void Serve(Socket connection)
    {
        var buffer = new byte[16 << 10];
        var have = 0;
        try
        {
            while (connection.Receive(buffer, have, buffer.Length - have, SocketFlags.None) is var read and > 0)
            {
                have += read;
                while (buffer.AsSpan(0, have).IndexOf("\r\n\r\n"u8) is var end and >= 0)
                {
                    buffer.AsSpan(end + 4, have - end - 4).CopyTo(buffer); // requests without a body, one after the other
                    have -= end + 4;
                    connection.Send(s_answer);
                }
            }
        }
        catch (SocketException)
        {
            // The gateway left.
        }
        finally
        {
            connection.Dispose();
        }
    }
}
