using System.Net;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway;

/// <summary>How the gateway comes by its configuration and keeps it.</summary>
public sealed class SnapshotTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Without_any_snapshot_the_gateway_is_not_ready_and_says_so()
    {
        await using var gateway = await GatewayHost.StartAsync(catalog: null, untilReady: false);
        using var client = gateway.Client();
        using var health = await client.GetAsync("/health", Stop);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        using var alive = await client.GetAsync("/alive", Stop);
        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
        using var call = await client.GetAsync("/orders/v1/orders", Stop);
        await PipelineTests.AssertRefusedAsync(call, HttpStatusCode.ServiceUnavailable, "not-ready");
    }

    [Fact]
    public async Task A_snapshot_is_swapped_under_load_without_a_failed_request()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var load = Load.Start(() => gateway.Client(), "/orders/v1/orders");
        for (var revision = 2; revision <= 6; revision++)
        {
            catalog.Publish(TestSnapshot.Create([backend.Address], revision));
            await Eventually.TrueAsync(() => gateway.Snapshot.Current!.Revision == revision);
        }

        Assert.True(load.Answers > 0);
        Assert.Empty(await load.StopAsync());
    }

    [Fact]
    public async Task A_bad_snapshot_is_refused_and_the_old_one_goes_on()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();

        var invalid = TestSnapshot.Create([backend.Address], revision: 2) with { Plans = [] };
        catalog.Publish(invalid);
        await UntilSeenAsync(catalog);
        catalog.PublishRaw("{\"revision\":3,"u8.ToArray(), "3");
        await UntilSeenAsync(catalog);
        catalog.Publish(TestSnapshot.Create([backend.Address], revision: 0));
        await UntilSeenAsync(catalog);

        Assert.Equal(1, gateway.Snapshot.Current!.Revision);
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));

        catalog.Publish(TestSnapshot.Create([backend.Address], revision: 4));
        await Eventually.TrueAsync(() => gateway.Snapshot.Current!.Revision == 4);
    }

    [Fact]
    public async Task A_revoked_key_is_refused_after_the_next_revision()
    {
        await using var backend = await TestBackend.StartAsync();
        var snapshot = TestSnapshot.Create([backend.Address]);
        await using var catalog = await TestCatalog.StartAsync(snapshot);
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));

        catalog.Publish(snapshot with { Revision = 2, Credentials = [.. snapshot.Credentials.Skip(1)] });
        await Eventually.TrueAsync(async () => (await client.GetAsync("/orders/v1/orders", Stop)).StatusCode == HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_gateway_restarts_from_disk_with_everything_dead_but_the_backend()
    {
        await using var backend = await TestBackend.StartAsync();
        var state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
        try
        {
            await using (var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address])))
            {
                await using var first = await GatewayHost.StartAsync(catalog, stateDirectory: state);
                await Eventually.TrueAsync(() => File.Exists(Path.Combine(state, ActiveSnapshot.FileName)));
            }

            // A Redis that is configured and dead, too.
            await using var second = await GatewayHost.StartAsync(catalog: null, stateDirectory: state, settings: ("ConnectionStrings:redis", "127.0.0.1:9,password=x"));
            using var client = second.Client();
            Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
            using var health = await client.GetAsync("/health", Stop);
            Assert.Equal(HttpStatusCode.OK, health.StatusCode);
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }

    [Fact]
    public async Task A_damaged_file_is_not_applied()
    {
        var state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
        try
        {
            await using (var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([new("http://127.0.0.1:9")])))
            {
                await using var first = await GatewayHost.StartAsync(catalog, stateDirectory: state);
                await Eventually.TrueAsync(() => File.Exists(Path.Combine(state, ActiveSnapshot.FileName)));
            }

            var file = Path.Combine(state, ActiveSnapshot.FileName);
            var bytes = await File.ReadAllBytesAsync(file, Stop);
            bytes[^20] ^= 1;
            await File.WriteAllBytesAsync(file, bytes, Stop);

            await using var second = await GatewayHost.StartAsync(catalog: null, stateDirectory: state, untilReady: false);
            Assert.Null(second.Snapshot.Current);
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }

    private static async Task UntilSeenAsync(TestCatalog catalog)
    {
        // The fetch after next has answered for certain to what was published before.
        var fetches = catalog.Fetches;
        await Eventually.TrueAsync(() => catalog.Fetches >= fetches + 2);
    }
}
