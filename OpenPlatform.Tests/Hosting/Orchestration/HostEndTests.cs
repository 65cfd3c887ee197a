using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Aspire.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Hosting.Orchestration;

/// <summary>However an AppHost ends, nothing of it is left: no process, no folder.</summary>
[Collection(Beside.Name)]
public sealed class HostEndTests
{
    private const string FileVariable = "OPENPLATFORM_TEST_HOST_FILE";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(9)]
    [InlineData(15)]
    [InlineData(2)]
    public async Task Nothing_is_left_15_s_after_signal(int signal)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signals.");
        var file = Path.GetTempFileName();
        using var host = StartHost(file);
        try
        {
            await Wait.UntilAsync(() => Task.FromResult(File.ReadAllText(file).EndsWith("ready\n", StringComparison.Ordinal) || host.HasExited), 90);
            string[] lines = await File.ReadAllLinesAsync(file, Stop);
            Assert.True(lines.Length > 4, "The host did not start.");
            var folder = lines[0];
            int[] pids = [.. lines[1..^1].Select(l => int.Parse(l, CultureInfo.InvariantCulture)), .. OrchestratorPids(folder)];
            Assert.True(pids.Length > 4, "Too few processes were found.");
            Assert.All(pids, pid => Assert.True(RunningApplication.IsAlive(pid)));
            Assert.True(Directory.Exists(folder));

            var start = TimeProvider.System.GetTimestamp();
            Assert.Equal(0, Kill(host.Id, signal));
            await Wait.UntilAsync(() => Task.FromResult(!pids.Any(RunningApplication.IsAlive) && !Directory.Exists(folder)), (int)Limit.TotalSeconds);
            TestContext.Current.TestOutputHelper?.WriteLine($"Signal {signal}: gone after {TimeProvider.System.GetElapsedTime(start).TotalSeconds:0.0} s");
            await host.WaitForExitAsync(Stop).WaitAsync(Limit, Stop);
        }
        finally
        {
            if (!host.HasExited)
            {
                host.Kill();
            }

            File.Delete(file);
        }
    }

    [Fact]
    public async Task An_application_ends_when_its_orchestrator_dies()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signals.");
        await using var run = await RunningApplication.StartAsync(b => b.AddShell("worker", "exec sleep 300"));
        await Wait.UntilAsync(() => Task.FromResult(run.Replicas("worker")[0].Pid is not null));
        var worker = run.Replicas("worker")[0].Pid!.Value;
        var folder = run.App.Services.GetRequiredService<SessionFolder>().Path;
        foreach (var pid in OrchestratorPids(folder))
        {
            _ = Kill(pid, 9);
        }

        var lifetime = run.App.Services.GetRequiredService<IHostApplicationLifetime>();
        await Wait.UntilAsync(() => Task.FromResult(lifetime.ApplicationStopping.IsCancellationRequested));
        await run.App.StopAsync(Stop);
        Assert.False(Directory.Exists(folder));
        await Wait.UntilAsync(() => Task.FromResult(!RunningApplication.IsAlive(worker)));
    }

    /// <summary>Not a test: the host that the tests above end, run by them in a process of its own.</summary>
    [Fact(Explicit = true)]
    public async Task Host()
    {
        if (Environment.GetEnvironmentVariable(FileVariable) is not { } file)
        {
            return;
        }

        await using var app = RunningApplication.Build(b =>
        {
            ((DistributedApplicationBuilder)b).Options.TemporaryData = true;
            b.Configuration["OPENPLATFORM_LOCAL"] = "processes";
            b.AddPostgres("database");
            b.AddOrders(replicas: 2);
            b.AddShell("stubborn", "trap '' TERM; while true; do sleep 1; done");
        });
        var run = new RunningApplication(app);
        await app.StartAsync(Stop);
        await Task.WhenAll(run.Replicas("orders").Select(r => r.Ready));
        await run.States.WaitForResourceHealthyAsync("database", Stop);
        await Wait.UntilAsync(() => Task.FromResult(run.Replicas("stubborn")[0].Pid is not null));
        var pids = run.Replicas("orders").Concat(run.Replicas("stubborn")).Concat(run.Replicas("database")).Select(r => r.Pid!.Value.ToString(CultureInfo.InvariantCulture));
        await File.WriteAllTextAsync(file, string.Join('\n', [app.Services.GetRequiredService<SessionFolder>().Path, .. pids, "ready\n"]), Stop);
        await app.WaitForShutdownAsync(CancellationToken.None);
    }

    /// <summary>A test assembly is a program of its own that can run one of its tests.</summary>
    private static Process StartHost(string file)
    {
        var start = new ProcessStartInfo(Path.ChangeExtension(typeof(HostEndTests).Assembly.Location, OperatingSystem.IsWindows() ? ".exe" : null))
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            Environment = { [FileVariable] = file },
        };
        foreach (var argument in new[] { "-explicit", "only", "-method", $"{typeof(HostEndTests).FullName}.{nameof(Host)}" })
        {
            start.ArgumentList.Add(argument);
        }

        var host = Process.Start(start)!;
        host.BeginOutputReadLine();
        return host;
    }

    /// <summary>DCP's own processes carry the session folder in their environment.</summary>
    private static IEnumerable<int> OrchestratorPids(string folder) =>
        from directory in Directory.EnumerateDirectories("/proc")
        let name = Path.GetFileName(directory)
        where char.IsAsciiDigit(name[0]) && EnvironmentOf(directory).Contains("DCP_SESSION_FOLDER=" + folder, StringComparison.Ordinal)
        select int.Parse(name, CultureInfo.InvariantCulture);

    private static string EnvironmentOf(string directory)
    {
        try
        {
            return File.ReadAllText(directory + "/environ");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int pid, int signal);
}
