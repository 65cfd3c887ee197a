using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Tests.Hosting.Orchestration;

/// <summary>One application with a program for each of these tests.</summary>
public sealed class ProcessRun : IAsyncLifetime
{
    internal const string Strange = "a{{b}} {{- .Name -}} {{ \"x\" }}";
    private RunningApplication? _run;

    internal RunningApplication Run => _run!;

    public async ValueTask InitializeAsync() => _run = await RunningApplication.StartAsync(b =>
    {
        b.AddShell("echo", "echo \"[$STRANGE]\"; exec sleep 300").WithEnvironment("STRANGE", Strange);
        b.AddExecutable("missing", "/no/such/program", "/");
        b.AddShell("once", "echo done; exit 7");
        b.AddShell("worker", "exec sleep 300");
    });

    public ValueTask DisposeAsync() => _run?.DisposeAsync() ?? ValueTask.CompletedTask;
}

/// <summary>Single processes on the real orchestrator.</summary>
public sealed class ProcessTests(ProcessRun application) : IClassFixture<ProcessRun>
{
    private readonly RunningApplication run = application.Run;
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_user_value_that_looks_like_a_template_arrives_as_it_is()
    {
        await Wait.UntilAsync(async () => (await run.LogAsync(run.Replicas("echo")[0].Id)).Contains($"[{ProcessRun.Strange}]", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_program_that_does_not_exist_fails_to_start_and_says_why()
    {
        var id = run.Replicas("missing")[0].Id;
        await StateAsync(run, id, KnownResourceStates.FailedToStart);
        await Wait.UntilAsync(async () => (await run.LogAsync(id)).Contains("/no/such/program: no such file or directory", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_plain_program_that_ends_is_finished_with_its_exit_code_and_not_restarted()
    {
        var id = run.Replicas("once")[0].Id;
        await StateAsync(run, id, KnownResourceStates.Finished);
        Assert.Equal(7, run.Snapshot(id).ExitCode);
        await Wait.UntilAsync(async () => (await run.LogAsync(id)).Contains("done", StringComparison.Ordinal)); // the output may come after the end
        Assert.False(run.Replicas("once")[0].IsActive);
    }

    [Fact]
    public async Task Stop_start_and_restart_by_command()
    {
        var worker = run.Replicas("worker")[0];
        await StateAsync(run, worker.Id, KnownResourceStates.Running);
        var first = worker.Pid!.Value;

        await run.CommandAsync("worker", "stop");
        Assert.False(RunningApplication.IsAlive(first));
        Assert.Equal(KnownResourceStates.Finished, run.Snapshot(worker.Id).State?.Text);

        await run.CommandAsync("worker", "start");
        await StateAsync(run, worker.Id, KnownResourceStates.Running);
        var second = worker.Pid!.Value;
        await run.CommandAsync("worker", "restart");
        await StateAsync(run, worker.Id, KnownResourceStates.Running);
        await Wait.UntilAsync(() => Task.FromResult(worker.Pid is { } third && third != second));
        Assert.False(RunningApplication.IsAlive(second));
    }

    private static Task StateAsync(RunningApplication run, string id, string state) =>
        run.States.WaitForResourceAsync(id[..id.LastIndexOf('-')], e => e.ResourceId == id && e.Snapshot.State?.Text == state, Stop).WaitAsync(TimeSpan.FromSeconds(30), Stop);
}
