using System.Text;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using OpenPlatform.Hosting;
using OpenPlatform.Hosting.Orchestration;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Hosting.Orchestration;

/// <summary>Readiness decides traffic: what clients of the shared address notice of what happens behind it.</summary>
[Collection(Beside.Name)]
public sealed class TrafficTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Scaling_2_to_5_to_2_under_load_fails_no_request()
    {
        await using var run = await StartOrdersAsync(replicas: 2);
        var load = new Load(new(run.Address("orders"), "/orders"), clients: 8);
        await using (load)
        {
            await load.MoreAsync(200);
            await run.App.ScaleAsync("orders", 5, Stop);
            Assert.Equal(5, run.Replicas("orders").Count(r => r.InTraffic));
            await load.MoreAsync(500);
            var leaving = run.Replicas("orders").Skip(2).Select(r => (r.Id, Pid: r.Pid!.Value)).ToArray();
            await run.App.ScaleAsync("orders", 2, Stop);
            Assert.All(leaving, l => Assert.False(RunningApplication.IsAlive(l.Pid)));
            Assert.All(leaving, l => Assert.False(run.States.TryGetCurrentState(l.Id, out _)));
            await load.MoreAsync(200);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{load.Answers} answers");
        Assert.Empty(load.Failures);
    }

    [Fact]
    public async Task A_frozen_replica_leaves_traffic_and_a_thawed_one_comes_back()
    {
        await using var run = await StartOrdersAsync(replicas: 2);
        var frozen = run.Replicas("orders")[0];
        await run.CommandAsync(frozen.Id, "freeze-one");
        Assert.Equal("Frozen", run.Snapshot(frozen.Id).State?.Text);
        await Wait.UntilAsync(() => Task.FromResult(!frozen.InTraffic));
        using (var http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero }) { Timeout = TimeSpan.FromSeconds(5) })
        {
            for (var i = 0; i < 50; i++)
            {
                Assert.True((await http.GetAsync(new Uri(run.Address("orders"), "/orders"), Stop)).IsSuccessStatusCode);
            }
        }

        await run.CommandAsync(frozen.Id, "thaw-one");
        await Wait.UntilAsync(() => Task.FromResult(frozen.InTraffic));
        Assert.Equal(KnownResourceStates.Running, run.Snapshot(frozen.Id).State?.Text);
    }

    [Fact]
    public async Task A_killed_replica_is_replaced_by_itself()
    {
        await using var run = await StartOrdersAsync(replicas: 2);
        var victim = run.Replicas("orders")[1];
        var pid = victim.Pid!.Value;
        await run.CommandAsync(victim.Id, "kill-one");
        await Wait.UntilAsync(async () => (await run.LogAsync(victim.Id)).Contains("killed by a signal, restarting in 1 s", StringComparison.Ordinal));
        await Wait.UntilAsync(() => Task.FromResult(victim.InTraffic && victim.Pid != pid), 60);
    }

    [Fact]
    public async Task A_replica_gets_no_traffic_before_its_own_health_check_passes()
    {
        // Both listen at once, but each is healthy only when it holds an order that the seed lacks.
        await using var run = await RunningApplication.StartAsync(b => b.AddOrders(replicas: 2, healthPath: "/orders/ord_000121"));
        var (first, second) = (run.Replicas("orders")[0], run.Replicas("orders")[1]);
        await MakeHealthyAsync(run, first);
        Assert.Single(await InstancesAnsweringAsync(run, requests: 30));
        Assert.False(second.InTraffic);
        await run.States.WaitForResourceAsync("orders", e => e.ResourceId == first.Id && e.Snapshot.HealthStatus == HealthStatus.Healthy, Stop);
        Assert.Equal(HealthStatus.Unhealthy, run.Snapshot(second.Id).HealthStatus);

        await MakeHealthyAsync(run, second);
        Assert.Equal(2, (await InstancesAnsweringAsync(run, requests: 60)).Count);
    }

    private static async Task MakeHealthyAsync(RunningApplication run, Replica replica)
    {
        await Wait.UntilAsync(async () => (await run.LogAsync(replica.Id)).Contains("Now listening on", StringComparison.Ordinal));
        using var http = new HttpClient();
        var own = run.Snapshot(replica.Id).Urls.Single(u => u.IsInternal).Url;
        using var order = new StringContent("""{"customer":"Test","lines":[{"sku":"BOLT-M6-100","quantity":1,"unitPrice":1.5}]}""", Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync(own + "/orders", order, Stop);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Stop));
        await replica.Ready.WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    private static async Task<HashSet<string>> InstancesAnsweringAsync(RunningApplication run, int requests)
    {
        using var http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero });
        var instances = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < requests; i++)
        {
            using var answer = await http.GetAsync(new Uri(run.Address("orders"), "/orders"), Stop);
            instances.Add(answer.Headers.GetValues("X-Instance").Single());
        }

        return instances;
    }

    private static async Task<RunningApplication> StartOrdersAsync(int replicas)
    {
        var run = await RunningApplication.StartAsync(b => b.AddOrders(replicas));
        await run.States.WaitForResourceHealthyAsync("orders", Stop).WaitAsync(TimeSpan.FromSeconds(60), Stop);
        await Task.WhenAll(run.Replicas("orders").Select(r => r.Ready)).WaitAsync(TimeSpan.FromSeconds(60), Stop);
        return run;
    }
}
