using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Gateway.HealthChecks;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.ServiceDefaults.Instances;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Instances;

/// <summary>Instances come, go and freeze under load; nobody who calls notices.</summary>
public sealed class ScalingTests
{
    /// <summary>Processes that start beside other tests take their time.</summary>
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(40);

    [Fact]
    public async Task Two_instances_become_five_and_two_again_and_it_costs_nothing()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([], service: "orders"));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var directory = gateway.Services.GetRequiredService<InstanceDirectory>();
        var state = gateway.Snapshot.Current!.Backends[0];
        var backends = new List<TestBackend>();
        async Task JoinAsync() => backends.Add(await TestBackend.StartAsync());
        void Announce(InstanceStatus ofThird) => directory.Apply(state, [.. backends.Select((b, i) => Lease(b.Address, i < 2 ? InstanceStatus.Ready : ofThird))]);

        await JoinAsync();
        await JoinAsync();
        Announce(InstanceStatus.Ready);
        var load = Load.Start(() => gateway.Client(), "/orders/v1/orders");
        await Eventually.TrueAsync(() => backends.TrueForAll(static b => b.Requests.Count > 50));
        for (var i = 0; i < 3; i++)
        {
            await JoinAsync();
            Announce(InstanceStatus.Ready);
        }

        await Eventually.TrueAsync(() => backends.TrueForAll(static b => b.Requests.Count > 50));
        Announce(InstanceStatus.Draining);
        await Eventually.TrueAsync(() => directory.Describe().Where(static i => i.State == InstanceStateName.Draining).All(static i => i.InFlight == 0));
        foreach (var leaves in backends[2..])
        {
            await leaves.DisposeAsync();
        }

        backends.RemoveRange(2, 3);
        Announce(InstanceStatus.Ready);
        var answers = load.Answers;
        await Eventually.TrueAsync(() => load.Answers > answers + 200);
        Assert.Empty(await load.StopAsync());
        Assert.Equal(2, directory.Describe().Count);
        await Task.WhenAll(backends.Select(static b => b.DisposeAsync().AsTask()));
    }

    [Fact]
    public async Task A_frozen_process_is_left_within_seconds_and_costs_no_idempotent_request()
    {
        await using var stays = await ServiceProcess.StartAsync("Orders.dll", new Dictionary<string, string>());
        await using var freezes = await ServiceProcess.StartAsync("Orders.dll", new Dictionary<string, string>());
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([stays.Address, freezes.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var instance = gateway.Snapshot.Current!.Backends[0].Ready.Single(i => i.Config.Address == freezes.Address);
        var load = Load.Start(() => gateway.Client(), "/orders/v1/orders");
        await Eventually.TrueAsync(() => instance.Ended > 100);

        var clock = Stopwatch.StartNew();
        freezes.Send(Signal.Stop);
        await Eventually.TrueAsync(() => instance.Health.OutBecause == EjectionReason.Silent, Slow);
        TestContext.Current.TestOutputHelper?.WriteLine($"Left {clock.Elapsed.TotalSeconds:F1} s after the freeze with {instance.InFlight} requests in it.");
        await Eventually.TrueAsync(() => instance.InFlight == 0, Slow); // what waited for it is answered elsewhere
        var answers = load.Answers;
        await Eventually.TrueAsync(() => load.Answers > answers + 100, Slow);
        Assert.Empty(await load.StopAsync());

        using var client = gateway.Client();
        freezes.Send(Signal.Continue);
        await Eventually.TrueAsync(async () =>
        {
            await client.GetStringAsync("/orders/v1/orders", TestContext.Current.CancellationToken);
            return !instance.IsEjected;
        }, Slow);
    }

    private static InstanceLease Lease(Uri address, InstanceStatus status) => new("orders", $"orders-{address.Port}", address, null, 100, status, DateTimeOffset.MaxValue);
}
