using System.Diagnostics;
using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Fixtures.Containers;

/// <summary>
/// A Docker engine of the tests' own, with images of Postgres and Redis made from the programs of this machine. It has no default
/// bridge and no firewall rules (published ports go through its proxy), so nothing of it stays in the machine's network.
/// </summary>
public sealed class ContainerEngine : IAsyncLifetime
{
    /// <summary>What the application model runs by default.</summary>
    private const string PostgresImage = "postgres:18.3", RedisImage = "redis:8.6";

    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("openplatform-docker-").FullName;
    private readonly List<string> _log = [];
    private Process? _engine;
    private string? _missing;

    /// <summary>For <c>DOCKER_HOST</c>. Asking for it skips the test where no engine can run.</summary>
    public string Host
    {
        get
        {
            Assert.SkipWhen(_missing is not null, _missing ?? "");
            return $"unix://{_folder}/docker.sock";
        }
    }

    public async ValueTask InitializeAsync()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
        {
            _missing = "An engine of the tests' own needs Linux and root.";
            return;
        }

        if (!File.Exists("/usr/sbin/dockerd"))
        {
            _missing = "dockerd is not installed. Debian, Ubuntu: apt-get install docker.io";
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", _missing);
            return;
        }

        _engine = Start("/usr/sbin/dockerd", "--bridge=none", "--iptables=false", "--ip6tables=false", "--data-root", $"{_folder}/data", "--exec-root", $"{_folder}/exec",
            "-H", $"unix://{_folder}/docker.sock", "-p", $"{_folder}/docker.pid");
        _engine.OutputDataReceived += Log;
        _engine.ErrorDataReceived += Log;
        _engine.BeginOutputReadLine();
        _engine.BeginErrorReadLine();
        var watch = Stopwatch.StartNew();
        while ((await TryRunAsync("docker", "info")).ExitCode != 0)
        {
            if (_engine.HasExited || watch.Elapsed > StartTimeout)
            {
                // A machine that allows no containers (no name spaces, no cgroups) is not a missing dependency.
                lock (_log)
                {
                    _missing = $"dockerd does not run on this machine: {_log.LastOrDefault()}";
                }

                return;
            }

            await Task.Delay(100);
        }

        await RunAsync("sh", Path.Combine(Repository.Root, "OpenPlatform.Tests/Fixtures/Containers/build-images.sh"), PostgresServer.FindBinaries(), PostgresImage, RedisImage);
    }

    /// <summary>What a command of the <c>docker</c> tool says, a line each.</summary>
    public async Task<string[]> DockerAsync(params string[] arguments) => (await RunAsync("docker", arguments)).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    public async ValueTask DisposeAsync()
    {
        if (_engine is { } engine)
        {
            if (!engine.HasExited)
            {
                foreach (var container in _missing is null ? await DockerAsync("ps", "--all", "--quiet") : [])
                {
                    await TryRunAsync("docker", "rm", "--force", "--volumes", container); // of a test that failed
                }

                Signal.Send(engine.Id, Signal.Terminate);
                await engine.WaitForExitAsync();
            }

            engine.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>What a program says that talks to this engine.</summary>
    public async Task<string> RunAsync(string file, params string[] arguments)
    {
        var (code, output, errors) = await TryRunAsync(file, arguments);
        Assert.True(code == 0, $"{file} {string.Join(' ', arguments)}: {output}{errors}");
        return output;
    }

    private async Task<(int ExitCode, string Output, string Errors)> TryRunAsync(string file, params string[] arguments)
    {
        using var process = Start(file, arguments);
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output, await errors);
    }

    private Process Start(string file, params string[] arguments) => Process.Start(new ProcessStartInfo(file, arguments)
    {
        UseShellExecute = false,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        Environment = { ["DOCKER_HOST"] = $"unix://{_folder}/docker.sock", ["DOCKER_BUILDKIT"] = "0" },
    })!;

    private void Log(object sender, DataReceivedEventArgs e)
    {
        if (!string.IsNullOrWhiteSpace(e.Data))
        {
            lock (_log)
            {
                _log.Add(e.Data);
            }
        }
    }
}
