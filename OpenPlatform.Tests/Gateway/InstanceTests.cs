using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts;
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
}
