using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using OpenPlatform.Contracts;
using OpenPlatform.Gateway.Balancing;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.ServiceDefaults.Redis;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway;

/// <summary>Instances come and go by their leases, in front of real backends and a real Redis.</summary>
public sealed class InstanceTests(RedisServerFixture redis) : IClassFixture<RedisServerFixture>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Backends_that_join_are_killed_and_leave_cost_no_request()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([], service: "joining"));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings:
        [
            ("ConnectionStrings:redis", redis.ConnectionString), ("OpenPlatform:Leases:Keys:joining", Processes.OrdersLeaseKey),
        ]);
        int Ready() => gateway.Snapshot.Current!.Backends[0].Ready.Length;

        await using var first = await Processes.StartOrdersAsync(redis.ConnectionString, "joining");
        await Eventually.TrueAsync(() => Ready() == 1);
        var load = Load.Start(() => gateway.Client(), "/orders/v1/orders", clients: 4);
        await using var second = await Processes.StartOrdersAsync(redis.ConnectionString, "joining");
        await using var third = await Processes.StartOrdersAsync(redis.ConnectionString, "joining");
        await Eventually.TrueAsync(() => Ready() == 3);

        second.Kill();
        await Eventually.TrueAsync(() => Ready() == 2);
        first.Terminate();
        await Eventually.TrueAsync(() => Ready() == 1);
        Assert.Equal(0, await first.ExitCodeAsync());

        var answers = load.Answers;
        await Eventually.TrueAsync(() => load.Answers > answers + 50);
        Assert.Empty(await load.StopAsync());
    }

    [Fact]
    public async Task The_last_view_of_leases_survives_a_restart_without_Redis()
    {
        await using var orders = await Processes.StartOrdersAsync(redis.ConnectionString, "remembered");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([], service: "remembered"));
        var state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
        try
        {
            await using (var gateway = await GatewayHost.StartAsync(catalog, stateDirectory: state, settings:
            [
                ("ConnectionStrings:redis", redis.ConnectionString), ("OpenPlatform:Leases:Keys:remembered", Processes.OrdersLeaseKey),
            ]))
            {
                await Eventually.TrueAsync(() => gateway.Snapshot.Current!.Backends[0].Ready.Length == 1);
                await Eventually.TrueAsync(() => File.Exists(Path.Combine(state, InstanceDirectory.FileName)));
            }

            await using var restarted = await GatewayHost.StartAsync(catalog: null, stateDirectory: state);
            using var client = restarted.Client();
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(Stop));
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }

    [Fact]
    public async Task A_poke_over_Redis_brings_a_new_revision_without_waiting_for_the_poll()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([], service: "nobody"));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings:
        [
            ("ConnectionStrings:redis", redis.ConnectionString), ("OpenPlatform:Gateway:Snapshots:PollInterval", "00:10:00"),
        ]);
        var client = gateway.Services.GetRequiredService<IRedis>();
        catalog.Publish(TestSnapshot.Create([], revision: 2, service: "nobody"));
        await Eventually.TrueAsync(async () =>
        {
            if (client.IsAvailable)
            {
                await client.ExecuteAsync(["PUBLISH", InternalApi.RevisionChannel, 2], Stop);
            }

            return gateway.Snapshot.Current!.Revision == 2;
        });
    }

    [Fact]
    public async Task Gateways_count_each_other_by_their_leases()
    {
        (string, string)[] settings =
        [
            ("ConnectionStrings:redis", redis.ConnectionString), ("OpenPlatform:Leases:Service", "gateway"), ("OpenPlatform:Leases:Key", "lease-key-of-gateways-in-tests"),
        ];
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([], service: "nobody"));
        await using var one = await GatewayHost.StartAsync(catalog, settings: settings);
        await using (await GatewayHost.StartAsync(catalog, settings: settings))
        {
            await Eventually.TrueAsync(() => one.Services.GetRequiredService<GatewayCount>().Live == 2);
        }

        await Eventually.TrueAsync(() => one.Services.GetRequiredService<GatewayCount>().Live == 1);
    }

    [Fact]
    public void Two_choices_follow_the_weights_and_spare_the_busy()
    {
        var light = new Instance(new("light", new("http://127.0.0.1:1"), 100), Nobody);
        var heavy = new Instance(new("heavy", new("http://127.0.0.1:2"), 300), Nobody);
        Instance[] ready = [light, heavy];
        for (var i = 0; i < 400; i++)
        {
            PowerOfTwoChoices.Pick(ready, [], 0)!.Begin(); // nothing ever ends
        }

        Assert.InRange(light.InFlight, 98, 102);
        Assert.InRange(heavy.InFlight, 298, 302);
    }

    [Fact]
    public void An_ejected_instance_gets_one_request_when_its_time_is_up_and_the_rest_when_it_has_answered()
    {
        var good = new Instance(new("good", new("http://127.0.0.1:1")), Nobody);
        var bad = new Instance(new("bad", new("http://127.0.0.1:2")), Nobody);
        Instance[] ready = [good, bad];
        bad.FailedToConnect(now: 1000);
        Assert.All(Picks(ready, now: 1249), pick => Assert.Same(good, pick));
        Assert.Single(Picks(ready, now: 1250), pick => ReferenceEquals(pick, bad));

        bad.FailedToConnect(now: 1260); // again: twice as long
        Assert.All(Picks(ready, now: 1759), pick => Assert.Same(good, pick));
        Assert.Single(Picks(ready, now: 1760), pick => ReferenceEquals(pick, bad));

        bad.Succeeded();
        Assert.Contains(bad, Picks(ready, now: 1761));
    }

    [Fact]
    public void When_all_are_ejected_one_is_tried_all_the_same()
    {
        var only = new Instance(new("only", new("http://127.0.0.1:1")), Nobody);
        only.FailedToConnect(now: 0);
        Assert.Same(only, PowerOfTwoChoices.Pick([only], [], now: 1));
        Assert.Null(PowerOfTwoChoices.Pick([only], [only], now: 1));
        Assert.Null(PowerOfTwoChoices.Pick([], [], now: 1));
    }

    private static BackendState Nobody => new(new(Guid.NewGuid(), "nobody", null, []), TimeProvider.System, NullLogger.Instance);

    private static List<Instance> Picks(Instance[] ready, long now) => [.. Enumerable.Range(0, 100).Select(_ => PowerOfTwoChoices.Pick(ready, [], now)!)];
}
