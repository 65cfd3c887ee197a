using System.Diagnostics;
using System.Globalization;
using OpenPlatform.Bench.Compare;

namespace OpenPlatform.Bench.Catalog;

/// <summary>A Postgres of the bench's own, from the binaries of Debian or on the PATH, as everybody would run it: with fsync.</summary>
internal sealed class PrivatePostgres : IDisposable
{
    private const string Nobody = "65534";

    private readonly string _root;
    private readonly ServerProcess _server;

    private PrivatePostgres(string root, ServerProcess server) => (_root, _server) = (root, server);

    public string ConnectionString => $"Host=127.0.0.1;Port={_server.Port.ToString(CultureInfo.InvariantCulture)};Username=bench;Password=unused;Database=postgres;Maximum Pool Size=64;Max Auto Prepare=20;No Reset On Close=true";

    public static async Task<PrivatePostgres> StartAsync()
    {
        var binaries = FindBinaries();
        var root = Directory.CreateTempSubdirectory("openplatform-bench-").FullName;
        var data = Path.Combine(root, "data");
        string[] unprivileged = [];
        if (Environment.UserName == "root")
        {
            unprivileged = [$"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups"];
            Run("chown", [$"{Nobody}:{Nobody}", root]);
        }

        Run("setpriv", [.. unprivileged, Path.Combine(binaries, "initdb"), "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C"]);
        var port = ServerProcess.FreePort();
        return new(root, await ServerProcess.StartAsync(port, "setpriv",
            [.. unprivileged, Path.Combine(binaries, "postgres"), "-D", data, "-p", port.ToString(CultureInfo.InvariantCulture), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300"]));
    }

    public void Dispose()
    {
        _server.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    private static string FindBinaries()
    {
        var debian = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql").OrderDescending(StringComparer.Ordinal).Select(static folder => Path.Combine(folder, "bin")) : [];
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Concat(debian).FirstOrDefault(static folder => File.Exists(Path.Combine(folder, "initdb")) && File.Exists(Path.Combine(folder, "postgres")))
            ?? throw new InvalidOperationException("Postgres is neither on the PATH nor under /usr/lib/postgresql.");
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
