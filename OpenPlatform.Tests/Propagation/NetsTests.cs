using System.Diagnostics;
using System.Globalization;
using System.Net;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.ServiceDefaults.Redis;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Tests.Catalog;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Propagation;

/// <summary>What is under the stream when the other end freezes, or when somebody on Redis says what is not so; and how fast a block is.</summary>
public sealed class NetsTests(CatalogFixture fixture, ITestOutputHelper output) : IClassFixture<CatalogFixture>
{
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(90);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_frozen_catalog_is_left_for_another_one_and_calls_go_on()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsMacOS(), "Needs signals.");
        await using var backend = await TestBackend.StartAsync();
        using var admin = fixture.Catalog.Operator();
        var (key, path, _, _) = await CallerAsync(admin, backend.Address);
        await using var first = await StartCatalogAsync("http://127.0.0.1:0");
        var port = FreePort.Next();

        // Only the first one is there when the gateway begins to follow.
        await using var gateway = await GatewayAsync(("services:catalog:http:0", first.Address.ToString()), ("services:catalog:http:1", $"http://127.0.0.1:{port}"), ("OpenPlatform:Gateway:Snapshots:SilenceTimeout", "00:00:06"));
        using var client = gateway.Client(key);
        await UntilAsync(async () => (await client.GetAsync(path, Stop)).StatusCode == HttpStatusCode.OK);
        await using var second = await StartCatalogAsync($"http://127.0.0.1:{port}");
        first.Freeze();

        await new Parts(admin).NewAsync("plans");
        var revision = (await fixture.Catalog.SnapshotAsync()).Revision;
        await UntilAsync(async () =>
        {
            using var response = await client.GetAsync(path, Stop);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            return gateway.Snapshot.Current!.Revision == revision;
        });

        // It thaws: what it had to say is old, and nobody goes back to it.
        first.Thaw();
        await new Parts(admin).NewAsync("plans");
        await UntilAsync(() => Task.FromResult(gateway.Snapshot.Current!.Revision == revision + 1));
    }

    [Fact]
    public async Task Wrong_hints_over_Redis_cost_a_new_stream_and_nothing_else()
    {
        await using var redis = new RedisServerFixture();
        await redis.StartAsync();
        await using var backend = await TestBackend.StartAsync();
        await using var feed = await ShardFeed.StartAsync();
        await using var gateway = await GatewayHost.StartAsync(catalog: null, untilReady: false, settings:
        [
            ("services:catalog:http:0", feed.Address.ToString()), ("ConnectionStrings:redis", redis.ConnectionString), ("OpenPlatform:Gateway:Snapshots:PollInterval", "00:00:00.5"),
        ]);
        var snapshot = TestSnapshot.Create([backend.Address]);
        feed.Publish(1, SnapshotShards.Split(snapshot));
        await UntilAsync(() => Task.FromResult(gateway.Snapshot.Current?.Revision == 1));
        using var client = gateway.Client();

        // Numbers that no catalog ever made, and what is no number, as fast as anybody can say them.
        var said = gateway.Services.GetRequiredService<IRedis>();
        await UntilAsync(async () => said.IsAvailable && (await said.ExecuteAsync(["PUBLISH", InternalApi.RevisionChannel, "999999999"])).AsInt64() >= 1);
        var clock = Stopwatch.StartNew();
        foreach (var hint in Enumerable.Range(0, 2_000).Select(static i => i % 3 == 0 ? "9223372036854775807" : i % 3 == 1 ? "-5" : "nonsense \u0000"))
        {
            await said.ExecuteAsync(["PUBLISH", InternalApi.RevisionChannel, hint]);
        }

        await UntilAsync(async () =>
        {
            Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
            return feed.Begun.Count >= 2; // it looked for somebody who has that revision
        });
        feed.Publish(2, [new(ShardName.Applications(ShardName.SegmentOf(TestSnapshot.Subscriber)), Snapshot.Empty with { Applications = [snapshot.Applications[0] with { Suspended = true }] })]);
        await UntilAsync(() => Task.FromResult(gateway.Snapshot.Current!.Revision == 2));

        // A stream that is left because of a hint has lasted for the patience of half a second at least.
        Assert.InRange(feed.Begun.Count, 2, 3 + (int)(clock.Elapsed.TotalSeconds * 2));
    }

    [Fact]
    public async Task A_block_is_in_force_within_a_second_and_so_is_its_end()
    {
        await using var backend = await TestBackend.StartAsync();
        using var admin = fixture.Catalog.Operator();
        var (key, path, api, version) = await CallerAsync(admin, backend.Address);
        await using var gateway = await GatewayAsync(("services:catalog:http:0", fixture.Catalog.Anonymous().BaseAddress!.ToString()));
        using var client = gateway.Client(key);
        await UntilAsync(async () => (await client.GetAsync(path, Stop)).StatusCode == HttpStatusCode.OK);

        // Of five the middle one: a machine that runs other tests, too, may take its time for one or two.
        List<double> blocked = [], free = [];
        for (var i = 0; i < 5; i++)
        {
            blocked.Add(await MillisecondsAsync("block", new { reason = "wrong totals" }, HttpStatusCode.ServiceUnavailable));
            free.Add(await MillisecondsAsync("unblock", null, HttpStatusCode.OK));
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"blocked after {string.Join(", ", blocked.Select(static ms => $"{ms:0}"))} ms, free after {string.Join(", ", free.Select(static ms => $"{ms:0}"))} ms"));
        Assert.InRange(blocked.Order().ElementAt(2), 0, 1_000);
        Assert.InRange(free.Order().ElementAt(2), 0, 1_000);

        async Task<double> MillisecondsAsync(string verb, object? body, HttpStatusCode expected)
        {
            var clock = Stopwatch.StartNew();
            using var moved = await admin.ActAsync($"apis/{api}/versions/{version}:{verb}", "*", body);
            Assert.Equal(HttpStatusCode.OK, moved.StatusCode);
            await UntilAsync(async () => (await client.GetAsync(path, Stop)).StatusCode == expected);
            return clock.Elapsed.TotalMilliseconds;
        }
    }

    private static Task UntilAsync(Func<Task<bool>> condition) => Eventually.TrueAsync(condition, Slow);

    private Task<ServiceProcess> StartCatalogAsync(string url) => ServiceProcess.StartAsync("OpenPlatform.Catalog.dll", new Dictionary<string, string>
    {
        ["ASPNETCORE_URLS"] = url, ["ConnectionStrings__catalogdb"] = fixture.ConnectionString, ["ConnectionStrings__redis"] = "127.0.0.1:1", ["OpenPlatform__AdminToken"] = CatalogServer.AdminToken,
        ["OpenPlatform__ServiceToken"] = CatalogServer.ServiceToken, ["OpenPlatform__KeyPepper"] = CatalogServer.Pepper, ["OpenPlatform__EnvelopeKey"] = CatalogServer.EnvelopeKey,
    });

    private static Task<GatewayHost> GatewayAsync(params (string Key, string Value)[] settings) => GatewayHost.StartAsync(catalog: null, untilReady: false, settings:
        [("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:KeyPepper", CatalogServer.Pepper), ("OpenPlatform:EnvelopeKey", CatalogServer.EnvelopeKey), .. settings]);

    private static async Task<(string Key, string Path, string Api, string Version)> CallerAsync(HttpClient admin, Uri backend)
    {
        var name = $"nets-{Guid.NewGuid():N}"[..20];
        var plan = await admin.CreateAsync("plans", new { name, approvalRequired = false, rateLimits = new[] { new { requests = 1_000_000, windowSeconds = 1 } } });
        var api = await admin.CreateAsync("apis", new
        {
            name, version = "v1", basePath = $"/{name}/v1", backendId = (await admin.CreateAsync("backends", new { name, addresses = new[] { backend } })).Id(),
            operations = new[] { new { operationId = "list", method = "GET", pathTemplate = "/things" } },
        });
        var application = await new Parts(admin).NewAsync("applications");
        var credential = await admin.CreateAsync("credentials", new { applicationId = application });
        var version = api["versions"]![0]!.Id();
        await admin.CreateAsync("subscriptions", new { applicationId = application, versionId = version, planId = plan.Id() });
        return (credential["key"]!.GetValue<string>(), $"/{name}/v1/things", api.Id(), version);
    }
}
