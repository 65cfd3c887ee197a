using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace OpenPlatform.Tests.Fixtures;

internal static class FreePort
{
    // Below those that Linux, Windows and macOS give to connections: between the look and the use nobody gets it by accident.
    private const int First = 12_000, End = 32_000;

    private static readonly ConcurrentDictionary<int, bool> Given = new();

    /// <summary>A loopback port that nobody listens on, and that no other test of this run was given.</summary>
    public static int Next()
    {
        while (true)
        {
            var port = Random.Shared.Next(First, End);
            if (Given.TryAdd(port, true) && IsFree(port))
            {
                return port;
            }
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
