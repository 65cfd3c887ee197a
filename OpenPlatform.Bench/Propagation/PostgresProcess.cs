using System.Diagnostics;
using System.Globalization;
using OpenPlatform.Bench.Compare;

namespace OpenPlatform.Bench.Propagation;

/// <summary>A Postgres of its own in a temporary folder, with its usual durability. As root it runs as an unprivileged user, since Postgres refuses root.</summary>
internal sealed class PostgresProcess : IDisposable
{
    private const string Nobody = "65534";

    private readonly string _root;
    private readonly ServerProcess _server;

    private PostgresProcess(string root, ServerProcess server) => (_root, _server) = (root, server);

    public string ConnectionString => $"Host=127.0.0.1;Port={_server.Port};Username=bench;Password=unused;Database=postgres";

    public IReadOnlyList<int> Processes() => _server.Processes();

    public double CpuSeconds() => _server.CpuSeconds();

    public static async Task<PostgresProcess> StartAsync()
    {
        var root = Directory.CreateTempSubdirectory("openplatform-bench-postgres-").FullName;
        var data = Path.Combine(root, "data");
        Run("chown", [$"{Nobody}:{Nobody}", root]);
        var binaries = Directory.GetDirectories("/usr/lib/postgresql").Select(static folder => Path.Combine(folder, "bin")).Last();
        string[] identity = [$"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups", "--pdeathsig=QUIT"];
        Run("setpriv", [.. identity[..3], Path.Combine(binaries, "initdb"), "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C"]);
        var port = ServerProcess.FreePort();
        return new(root, await ServerProcess.StartAsync(port, "setpriv",
        [
            .. identity, Path.Combine(binaries, "postgres"), "-D", data, "-p", port.ToString(CultureInfo.InvariantCulture),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "shared_buffers=256MB",
        ]));
    }

    public void Dispose()
    {
        _server.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    private static void Run(string file, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(file, arguments) { UseShellExecute = false, RedirectStandardOutput = true, WorkingDirectory = "/" })!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{file} ended with {process.ExitCode}.");
        }
    }
}
