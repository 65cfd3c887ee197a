using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace OpenPlatform.Bench.Compare;

/// <summary>One server under measurement or beside it, ended with the bench.</summary>
internal sealed class ServerProcess : IDisposable
{
    /// <summary>Ticks a second of <c>/proc/…/stat</c> (USER_HZ, 100 on every Linux this runs on).</summary>
    private const double TicksPerSecond = 100;

    private readonly Process _process;

    private ServerProcess(Process process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    public int Id => _process.Id;

    /// <summary>Starts it and waits until its port answers.</summary>
    /// <exception cref="InvalidOperationException">It ended, or did not listen within 20 s.</exception>
    public static async Task<ServerProcess> StartAsync(int port, string file, string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(file, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var log = new List<string>();
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, e) => log.Add(e.Data ?? "");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var server = new ServerProcess(process, port);
        for (var i = 0; i < 200; i++)
        {
            if (process.HasExited)
            {
                throw new InvalidOperationException($"{file} ended with {process.ExitCode}: {string.Join(' ', log)}");
            }

            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port);
                return server;
            }
            catch (SocketException)
            {
                await Task.Delay(100);
            }
        }

        server.Dispose();
        throw new InvalidOperationException($"{file} does not listen on port {port}: {string.Join(' ', log)}");
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>User and system time so far, of it and of its children (workers), those that have ended included, in seconds.</summary>
    public double CpuSeconds() => Tree(Id).Sum(static id =>
    {
        var stat = File.ReadAllText($"/proc/{id}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return fields[11..15].Sum(static ticks => long.Parse(ticks, CultureInfo.InvariantCulture)) / TicksPerSecond; // utime, stime, cutime, cstime
    });

    /// <summary>Its process ids, workers included.</summary>
    public IReadOnlyList<int> Processes() => [.. Tree(Id)];

    private static IEnumerable<int> Tree(int id)
    {
        yield return id;
        var children = File.ReadAllText($"/proc/{id}/task/{id}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        foreach (var child in children.SelectMany(static c => Tree(int.Parse(c, CultureInfo.InvariantCulture))))
        {
            yield return child;
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }
}
