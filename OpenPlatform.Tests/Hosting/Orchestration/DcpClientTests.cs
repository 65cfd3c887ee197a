using OpenPlatform.Hosting.Orchestration;

namespace OpenPlatform.Tests.Hosting.Orchestration;

/// <summary>The API client against the real orchestrator.</summary>
public sealed class DcpClientTests(DcpRun run) : IClassFixture<DcpRun>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_process_is_started_watched_and_read_and_a_stop_ends_it()
    {
        var name = Unique("talker");
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var states = new List<string?>();
        var watching = Task.Run(async () =>
        {
            await foreach (var change in run.Client.WatchAsync<DcpExecutable>(enough.Token))
            {
                if (change.Object.Metadata.Name == name)
                {
                    states.Add(change.Object.Status?.State);
                    if (change.Type == "DELETED")
                    {
                        return;
                    }
                }
            }
        }, Stop);

        await run.Client.CreateAsync(Shell(name, "echo hello; echo trouble >&2; exec sleep 300"), Stop);
        var running = await run.UntilAsync(name, e => e.Status?.State == DcpStates.Running);
        Assert.True(IsAlive(running.Status!.Pid!.Value));

        await foreach (var line in run.Client.LogAsync<DcpExecutable>(name, "stdout", follow: true, Stop))
        {
            Assert.EndsWith("Z hello", line, StringComparison.Ordinal);
            break;
        }

        await foreach (var line in run.Client.LogAsync<DcpExecutable>(name, "stderr", follow: true, Stop))
        {
            Assert.EndsWith("Z trouble", line, StringComparison.Ordinal);
            break;
        }

        await run.Client.StopAsync<DcpExecutable>(name, Stop);
        var ended = await run.UntilAsync(name, e => DcpStates.IsFinal(e.Status?.State));
        Assert.Equal(-1, ended.Status!.ExitCode);
        Assert.False(IsAlive(running.Status.Pid.Value));

        await run.Client.DeleteAsync<DcpExecutable>(name, Stop);
        await watching.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        await enough.CancelAsync();
        Assert.Contains(DcpStates.Running, states);
        Assert.Null(await run.Client.GetAsync<DcpExecutable>(name, Stop));
    }

    [Fact]
    public async Task A_service_gets_its_port_before_anything_stands_behind_it()
    {
        var name = Unique("svc");
        await run.Client.CreateAsync(
            new DcpService { Metadata = new() { Name = name }, Spec = new() { Protocol = "TCP", AddressAllocationMode = "IPv4ZeroOne" } }, Stop);
        await Wait.UntilAsync(async () => (await run.Client.GetAsync<DcpService>(name, Stop))?.Status?.EffectivePort > 0);
        await run.Client.DeleteAsync<DcpService>(name, Stop);
    }

    [Fact]
    public async Task A_second_object_of_one_name_is_refused_with_the_reason()
    {
        var name = Unique("twice");
        await run.Client.CreateAsync(Shell(name, "exec sleep 300"), Stop);
        var refusal = await Assert.ThrowsAsync<DcpException>(() => run.Client.CreateAsync(Shell(name, "exec sleep 300"), Stop));
        Assert.Equal(System.Net.HttpStatusCode.Conflict, refusal.Status);
        Assert.Contains(name, refusal.Message, StringComparison.Ordinal);
        await run.Client.DeleteAsync<DcpExecutable>(name, Stop);
    }

    [Fact]
    public async Task Why_a_program_did_not_start_is_in_the_system_log()
    {
        var name = Unique("missing");
        await run.Client.CreateAsync(new DcpExecutable { Metadata = new() { Name = name }, Spec = new() { ExecutablePath = "/no/such/program" } }, Stop);
        await run.UntilAsync(name, e => e.Status?.State == DcpStates.FailedToStart);
        var lines = new List<string>();
        await foreach (var line in run.Client.LogAsync<DcpExecutable>(name, "system", follow: false, Stop))
        {
            lines.Add(line);
            TestContext.Current.TestOutputHelper?.WriteLine(line);
        }

        Assert.Contains(lines, l => l.Contains("/no/such/program", StringComparison.Ordinal));
    }

    [Fact]
    public void What_steers_the_host_is_kept_from_the_services()
    {
        var environment = new Dictionary<string, string?>
        {
            ["ASPNETCORE_URLS"] = "x", ["DOTNET_ENVIRONMENT"] = "x", ["DOTNET_STARTUP_HOOKS"] = "x", ["ASPIRE_X"] = "x",
            ["DOTNET_ROOT"] = "x", ["DOTNET_CLI_HOME"] = "x", ["PATH"] = "x",
        };
        DcpProcess.KeepHostSettingsFromChildren(environment);
        Assert.Equal(["DOTNET_ROOT", "DOTNET_CLI_HOME", "PATH"], environment.Keys);
    }

    private static string Unique(string name) => $"{name}-{Guid.NewGuid():N}"[..(name.Length + 9)];

    private static DcpExecutable Shell(string name, string script) =>
        new() { Metadata = new() { Name = name }, Spec = new() { ExecutablePath = "/bin/sh", Args = ["-c", script] } };

    private static bool IsAlive(int pid) => Directory.Exists($"/proc/{pid}");
}
