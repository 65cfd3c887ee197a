using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Hosting.LocalServers;

/// <summary>What the orchestrator does with a local server: prepares it, starts the process, signals it.</summary>
internal sealed class RunningServer : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _log = new();

    private RunningServer(LocalServerProcess launch, int port, IReadOnlyList<string> reports)
    {
        (Launch, Port, Reports) = (launch, port, reports);
        var start = new ProcessStartInfo(launch.FileName, launch.Arguments)
        {
            WorkingDirectory = launch.WorkingDirectory,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in launch.Environment)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Log(line.Data);
        _process.ErrorDataReceived += (_, line) => Log(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public LocalServerProcess Launch { get; }
    public int Port { get; }
    public IReadOnlyList<string> Reports { get; }
    public int Pid => _process.Id;
    public bool HasEnded => _process.HasExited;

    public static async Task<RunningServer> StartAsync(ILocalServer server, Aspire.Hosting.ApplicationModel.IResource resource, string folder)
    {
        var port = FreePort();
        List<string> reports = [];
        return new(await server.PrepareAsync(new(resource, port, folder, reports.Add), TestContext.Current.CancellationToken), port, reports);
    }

    public async Task HealthyAsync(IHealthCheck check)
    {
        HealthCheckResult last = default;
        try
        {
            await Eventually.TrueAsync(async () => _process.HasExited || (last = await check.CheckHealthAsync(new(), TestContext.Current.CancellationToken)).Status == HealthStatus.Healthy, TimeSpan.FromSeconds(60), "healthy");
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Assert.Fail($"{last.Description}\n{_log}");
        }

        Assert.False(_process.HasExited, $"ended with {(_process.HasExited ? _process.ExitCode : 0)}\n{_log}");
    }

    /// <summary>The command line of the process and of all its descendants; of those that ended meanwhile (Postgres starts helpers that come and go) nothing.</summary>
    public string CommandLines() => string.Join('\n', Family(Pid).Select(CommandLine));

    private static string CommandLine(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").Replace('\0', ' ');
        }
        catch (IOException)
        {
            return "";
        }
    }

    public static IReadOnlyList<int> Family(int pid)
    {
        try
        {
            var children = Directory.GetDirectories($"/proc/{pid}/task").SelectMany(task => File.ReadAllText(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(int.Parse);
            return [pid, .. children.SelectMany(Family)];
        }
        catch (IOException)
        {
            return [];
        }
    }

    public static bool IsAlive(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/stat").Split(") ")[^1][0] != 'Z';
        }
        catch (IOException)
        {
            return false; // ended, perhaps just now
        }
    }

    /// <summary>As DCP stops: SIGTERM, and 6 s to obey.</summary>
    public async Task StopAsync()
    {
        var family = Family(Pid);
        Process.Start("kill", ["-TERM", $"{Pid}"]).WaitForExit();
        await Eventually.TrueAsync(() => family.All(pid => !IsAlive(pid)), TimeSpan.FromSeconds(6));
    }

    public async Task KillAsync()
    {
        _process.Kill(entireProcessTree: false);
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            foreach (var pid in Family(Pid))
            {
                using var process = Process.GetProcessById(pid);
                process.Kill();
            }
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception)
        {
            // Ended by itself.
        }

        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    private void Log(string? line)
    {
        lock (_log)
        {
            _log.AppendLine(line);
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

/// <summary>A folder as <see cref="DataFolders"/> gives it, removed afterwards.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public TemporaryFolder()
    {
        Path = Directory.CreateTempSubdirectory("openplatform-test-").FullName;
        DataFolders.LetOthersPass(Path);
    }

    public string Path { get; }

    public static implicit operator string(TemporaryFolder folder) => folder.Path;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
