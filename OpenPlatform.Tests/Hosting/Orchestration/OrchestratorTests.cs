using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Hosting.Orchestration;

/// <summary>Whole small applications on the real orchestrator.</summary>
[Collection(Beside.Name)]
public sealed class OrchestratorTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Replicas_share_one_address_and_each_has_its_own()
    {
        await using var run = await RunningApplication.StartAsync(b => b.AddOrders(replicas: 2));
        await ReadyAsync(run, "orders");
        using var http = new HttpClient();
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri(run.Address("orders"), "/orders"), Stop)).StatusCode);
        var own = run.Replicas("orders").Select(r => run.Snapshot(r.Id).Urls.Single(u => u.IsInternal).Url).ToArray();
        Assert.Equal(2, own.Distinct().Count());
        foreach (var url in own)
        {
            Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(url + "/orders", Stop)).StatusCode);
        }

        var replica = run.Replicas("orders")[0];
        var snapshot = run.Snapshot(replica.Id);
        Assert.Equal(KnownResourceStates.Running, snapshot.State?.Text);
        Assert.Equal(replica.Pid, snapshot.Properties.Single(p => p.Name == "executable.pid").Value);
        Assert.Contains(snapshot.EnvironmentVariables, v => v.Name == "ASPNETCORE_URLS" && v.IsFromSpec);
        Assert.Contains(snapshot.EnvironmentVariables, v => v.Name == "PATH" && !v.IsFromSpec);
        Assert.StartsWith("orders-", replica.Id, StringComparison.Ordinal);
        await Wait.UntilAsync(async () => (await run.LogAsync(replica.Id)).Contains("Now listening on", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_taken_port_ends_the_start_and_names_who_wants_and_who_holds_it()
    {
        using var holder = new TcpListener(IPAddress.Loopback, 0);
        holder.Start();
        var port = ((IPEndPoint)holder.LocalEndpoint).Port;
        await using var app = RunningApplication.Build(b => b.AddOrders(replicas: 1, port));
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => app.StartAsync(Stop));
        Assert.Contains($"Port {port}", error.Message, StringComparison.Ordinal);
        Assert.Contains("endpoint 'http' of resource 'orders'", error.Message, StringComparison.Ordinal);
        Assert.Contains($"process {Environment.ProcessId} (", error.Message, StringComparison.Ordinal);
        Assert.Contains("launchSettings.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_crashed_project_is_restarted_after_1_2_and_4_seconds_and_its_log_goes_on()
    {
        await using var run = await RunningApplication.StartAsync(b => b.AddScriptProject("crashing", "echo alive; exit 3"));
        var id = run.Replicas("crashing")[0].Id;
        await Wait.UntilAsync(async () => (await run.LogAsync(id)).Contains("restarting in 4 s", StringComparison.Ordinal), 60);
        var log = await run.LogAsync(id);
        Assert.Contains("crashed with exit code 3, restarting in 1 s", log, StringComparison.Ordinal);
        Assert.Contains("crashed with exit code 3, restarting in 2 s", log, StringComparison.Ordinal);
        Assert.Equal(3, log.Split("Z alive").Length - 1);
        Assert.Equal("Crashed with exit code 3, restarting in 4 s", run.Snapshot(id).State?.Text);
    }

    [Fact]
    public async Task Nobody_sees_a_crashed_project_as_finished_while_it_is_restarted()
    {
        // "Finished" would make whoever waits for it give up. Explicit start: the watch is there before the first crash.
        var times = Path.GetTempFileName();
        await using var run = await RunningApplication.StartAsync(b =>
            b.AddScriptProject("server", $"echo x >> {times}; [ $(wc -l < {times}) -ge 3 ] && exec sleep 300; exit 1").WithExplicitStart());
        var server = run.Replicas("server")[0];
        Assert.Equal(KnownResourceStates.NotStarted, run.Snapshot(server.Id).State?.Text);
        Assert.Null(server.Pid);
        var seen = new ConcurrentQueue<string?>();
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var watching = Task.Run(async () =>
        {
            await foreach (var change in run.States.WatchAsync(enough.Token))
            {
                seen.Enqueue(change.Snapshot.State?.Text);
            }
        }, Stop);
        await run.CommandAsync("server", "start");
        await Wait.UntilAsync(async () => (await File.ReadAllLinesAsync(times, Stop)).Length == 3);
        await StateAsync(run, server.Id, KnownResourceStates.Running);
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watching);
        Assert.Contains("Crashed with exit code 1, restarting in 2 s", seen);
        Assert.DoesNotContain(KnownResourceStates.Finished, seen);
        File.Delete(times);
    }

    [Fact]
    public async Task Nothing_is_left_after_a_stop_not_even_a_process_that_ignores_SIGTERM()
    {
        var run = await RunningApplication.StartAsync(b =>
        {
            b.AddOrders(replicas: 2);
            b.AddShell("stubborn", "trap '' TERM; while true; do sleep 1; done");
        });
        await ReadyAsync(run, "orders");
        await StateAsync(run, run.Replicas("stubborn")[0].Id, KnownResourceStates.Running);
        int[] pids = [.. run.Replicas("orders").Concat(run.Replicas("stubborn")).Select(r => r.Pid!.Value)];
        Assert.All(pids, pid => Assert.True(RunningApplication.IsAlive(pid)));

        var start = TimeProvider.System.GetTimestamp();
        await run.DisposeAsync();
        Assert.All(pids, pid => Assert.False(RunningApplication.IsAlive(pid)));
        Assert.InRange(TimeProvider.System.GetElapsedTime(start), TimeSpan.Zero, TimeSpan.FromSeconds(15));
    }

    [Fact]
    public async Task Who_needs_another_stops_before_it()
    {
        var order = Path.GetTempFileName();
        var run = await RunningApplication.StartAsync(b =>
        {
            var database = b.AddShell("database", $"trap 'echo database >> {order}; exit 0' TERM; while true; do sleep 0.1; done");
            b.AddShell("service", $"trap 'sleep 0.5; echo service >> {order}; exit 0' TERM; while true; do sleep 0.1; done").WaitForStart(database);
        });
        await StateAsync(run, run.Replicas("service")[0].Id, KnownResourceStates.Running);
        await run.DisposeAsync();
        Assert.Equal(["service", "database"], await File.ReadAllLinesAsync(order, Stop));
        File.Delete(order);
    }

    [Fact]
    public async Task A_second_application_beside_the_first_works_and_is_told_when_both_want_one_port()
    {
        var port = OpenPlatform.Hosting.Orchestration.Ports.Free();
        await using var first = await RunningApplication.StartAsync(b => b.AddOrders(replicas: 1, port));
        await using (var beside = await RunningApplication.StartAsync(b => b.AddOrders(replicas: 1)))
        {
            await ReadyAsync(beside, "orders");
            Assert.NotEqual(first.Address("orders"), beside.Address("orders"));
        }

        await ReadyAsync(first, "orders");
        await using var clash = RunningApplication.Build(b => b.AddOrders(replicas: 1, port));
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => clash.StartAsync(Stop));
        Assert.Contains($"is taken by another running AppHost, process {Environment.ProcessId} (", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_enumerates_annotations_is_not_disturbed_by_a_change()
    {
        var resource = new ExecutableResource("x", "x", "/");
        var seen = 0;
        foreach (var _ in resource.Annotations)
        {
            resource.Annotations.Add(new ExplicitStartupAnnotation());
            seen++;
        }

        Assert.Equal(1, seen);
        Assert.Equal(2, resource.Annotations.Count);
    }

    private static Task ReadyAsync(RunningApplication run, string name) => Task.WhenAll(run.Replicas(name).Select(r => r.Ready)).WaitAsync(TimeSpan.FromSeconds(60), Stop);

    private static Task StateAsync(RunningApplication run, string id, string state) =>
        run.States.WaitForResourceAsync(id[..id.LastIndexOf('-')], e => e.ResourceId == id && e.Snapshot.State?.Text == state, Stop).WaitAsync(TimeSpan.FromSeconds(30), Stop);
}
