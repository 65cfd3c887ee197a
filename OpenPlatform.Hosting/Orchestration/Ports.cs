using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>TCP ports of this machine: a free one, and who holds a taken one.</summary>
internal static class Ports
{
    // Below 32768, where Linux begins to give ports to outgoing connections: under load one of those could sit on a chosen
    // port between choosing and listening.
    private const int First = 10_000;
    private const int Last = 32_767;
    private static readonly ConcurrentDictionary<int, bool> HandedOut = new();

    /// <summary>A port that nobody listens on and that this process has not given away before.</summary>
    public static int Free()
    {
        for (var tries = 0; tries < 10_000; tries++)
        {
            var port = RandomNumberGenerator.GetInt32(First, Last + 1);
            if (IsFree(port) && HandedOut.TryAdd(port, true))
            {
                return port;
            }
        }

        throw new InvalidOperationException($"No free TCP port between {First} and {Last}.");
    }

    /// <summary>Gives a port back once nothing uses it any more.</summary>
    public static void Release(int port) => HandedOut.TryRemove(port, out _);

    /// <summary>True where both loopback addresses can be listened on.</summary>
    public static bool IsFree(int port) =>
        CanListen(IPAddress.Loopback, port) && (!Socket.OSSupportsIPv6 || CanListen(IPAddress.IPv6Loopback, port));

    /// <summary>Such as <c>process 4711 (dotnet run)</c>; Linux only, and only for processes that this user may look at.</summary>
    public static string DescribeHolder(int port)
    {
        if (OperatingSystem.IsLinux() && ListeningInodes(port) is { Count: > 0 } inodes)
        {
            foreach (var process in Directory.EnumerateDirectories("/proc").Where(p => char.IsAsciiDigit(Path.GetFileName(p)[0])))
            {
                if (Holds(process, inodes))
                {
                    return Describe(process);
                }
            }
        }

        return "another process";
    }

    private static bool CanListen(IPAddress address, int port)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(address, port));
            socket.Listen(1);
            return true;
        }
        catch (SocketException e)
        {
            // No ::1 on this machine is no reason against a port.
            return e.SocketErrorCode == SocketError.AddressNotAvailable;
        }
    }

    // /proc/net/tcp: "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000  0 27213 …"; state 0A is LISTEN.
    private static HashSet<string> ListeningInodes(int port)
    {
        var wanted = ":" + port.ToString("X4", CultureInfo.InvariantCulture);
        return [.. from file in new[] { "/proc/net/tcp", "/proc/net/tcp6" }
                   where File.Exists(file)
                   from line in File.ReadLines(file).Skip(1)
                   let fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
                   where fields.Length > 9 && fields[3] == "0A" && fields[1].EndsWith(wanted, StringComparison.Ordinal)
                   select $"socket:[{fields[9]}]"];
    }

    private static bool Holds(string process, HashSet<string> inodes)
    {
        try
        {
            return Directory.EnumerateFiles(process + "/fd").Any(f => File.ResolveLinkTarget(f, returnFinalTarget: false) is { } target
                && inodes.Contains(Path.GetFileName(target.FullName)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;   // ended meanwhile, or somebody else's
        }
    }

    // A port that another application's orchestrator holds is that application's. DCP's processes have each other, and the first of
    // them the AppHost, as "--monitor <pid>".
    private static string Describe(string process, string prefix = "")
    {
        var command = CommandLine(process);
        var words = command.Split(' ');
        var monitored = "/proc/" + words.SkipWhile(w => w != "--monitor").ElementAtOrDefault(1);
        return Path.GetFileNameWithoutExtension(words[0]) == "dcp" && Directory.Exists(monitored) && monitored != "/proc/"
            ? Describe(monitored, "another running AppHost, ")
            : $"{prefix}process {Path.GetFileName(process)} ({(command.Length > 160 ? command[..160] + "…" : command)})";
    }

    private static string CommandLine(string process)
    {
        try
        {
            return File.ReadAllText(process + "/cmdline").Replace('\0', ' ').Trim();
        }
        catch (IOException)
        {
            return "ended meanwhile";
        }
    }
}
