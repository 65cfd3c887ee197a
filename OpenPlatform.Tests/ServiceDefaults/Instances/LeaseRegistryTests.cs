using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenPlatform.ServiceDefaults.Instances;
using OpenPlatform.ServiceDefaults.Redis;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.ServiceDefaults.Instances;

public sealed class LeaseRegistryOnRedisTests(RedisServerFixture server) : LeaseRegistryTests<RedisServerFixture>(server);

public sealed class LeaseRegistryOnGarnetTests(GarnetFixture server) : LeaseRegistryTests<GarnetFixture>(server);

/// <summary>A reader, as a gateway has it, beside Orders processes that come, drain and die.</summary>
public abstract class LeaseRegistryTests<TServer>(TServer server) : IClassFixture<TServer>, IAsyncLifetime
    where TServer : RedisLikeServer
{
    private const string Key = "the key of this test's service";

    // Each test has a service of its own, because the server is shared.
    private readonly string _service = $"orders-{Guid.NewGuid():n}";
    private IHost _reader = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private ILeaseRegistry Registry => _reader.Services.GetRequiredService<ILeaseRegistry>();

    private IRedis Redis => _reader.Services.GetRequiredService<IRedis>();

    private static DateTimeOffset InFourSeconds => TimeProvider.System.GetUtcNow().AddSeconds(4);

    public async ValueTask InitializeAsync()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration["ConnectionStrings:redis"] = server.ConnectionString + ",asyncTimeout=10000";
        builder.Configuration[$"OpenPlatform:Leases:Keys:{_service}"] = Key;
        builder.AddRedisClient("redis");
        builder.AddLeaseRegistry();
        _reader = builder.Build();
        await _reader.StartAsync();
    }

    [Fact]
    public async Task An_instance_appears_once_it_is_healthy_and_is_announced()
    {
        var announced = new ConcurrentQueue<string>();
        using var subscription = Registry.Subscribe(announced.Enqueue);
        await using var orders = await StartOrdersAsync();
        await Eventually.TrueAsync(async () => (await LeasesAsync()).Count == 1);
        var lease = (await LeasesAsync())[0];
        Assert.Equal(orders.Address, lease.Address);
        Assert.Equal(InstanceStatus.Ready, lease.Status);
        Assert.Equal("zone-1", lease.Zone);
        Assert.Equal(300, lease.Weight);
        await Eventually.TrueAsync(() => announced.Contains(_service));

        using var http = new HttpClient();
        using var answer = await http.GetAsync(new Uri(lease.Address, "/orders/ord_000001"), Stop);
        Assert.Equal([lease.InstanceId], answer.Headers.GetValues("X-Instance"));
    }

    [Fact]
    public async Task A_killed_instance_vanishes_within_its_time_to_live()
    {
        await using var orders = await StartOrdersAsync();
        await Eventually.TrueAsync(async () => (await LeasesAsync()).Count == 1);
        orders.Kill();
        var waited = Stopwatch.StartNew();
        await Eventually.TrueAsync(async () => (await LeasesAsync()).Count == 0, within: TimeSpan.FromSeconds(10));
        Assert.InRange(waited.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_leaving_instance_says_so_finishes_its_requests_and_is_gone_before_it_exits()
    {
        await using var orders = await StartOrdersAsync();
        await Eventually.TrueAsync(async () => (await LeasesAsync()).Count == 1);
        using var http = new HttpClient();
        var slow = http.GetAsync(new Uri(orders.Address, "/slow?milliseconds=2500"), Stop);

        orders.Terminate();
        await Eventually.TrueAsync(async () => await LeasesAsync() is [{ Status: InstanceStatus.Draining }]);
        Assert.False(orders.HasExited);
        using (var health = await http.GetAsync(new Uri(orders.Address, "/health"), Stop))
        {
            Assert.Equal(System.Net.HttpStatusCode.ServiceUnavailable, health.StatusCode);
        }

        // Its callers may not have heard yet: a new connection still works.
        using (var late = new HttpClient())
        using (var answer = await late.GetAsync(new Uri(orders.Address, "/orders/ord_000001"), Stop))
        {
            Assert.Equal(System.Net.HttpStatusCode.OK, answer.StatusCode);
        }

        using (var answer = await slow)
        {
            Assert.Equal(System.Net.HttpStatusCode.OK, answer.StatusCode);
        }

        Assert.Equal(0, await orders.ExitCodeAsync());
        Assert.Empty(await LeasesAsync());
    }

    [Fact]
    public async Task Forged_expired_foreign_and_garbage_leases_are_dropped_and_the_good_one_stays()
    {
        var store = new LeaseStore(Redis);
        var good = new InstanceLease(_service, "good", new Uri("http://127.0.0.1:1"), null, 100, InstanceStatus.Ready, InFourSeconds);
        async Task PutAsync(InstanceLease lease, string key, string? storedAs = null) => await store.WriteAsync(
            lease with { InstanceId = storedAs ?? lease.InstanceId }, LeaseText.Sign(lease, System.Text.Encoding.UTF8.GetBytes(key)), TimeSpan.FromSeconds(30), Stop);
        await PutAsync(good, Key);
        await PutAsync(good with { InstanceId = "forged" }, "the key of somebody else");
        await PutAsync(good with { InstanceId = "expired", ExpiresAt = InFourSeconds.AddMinutes(-1) }, Key);
        await PutAsync(good with { InstanceId = "for-ever", ExpiresAt = InFourSeconds.AddHours(1) }, Key);
        await PutAsync(good, Key, storedAs: "copied");
        await store.WriteAsync(good with { InstanceId = "garbage" }, [0, 1, 2, 10, 255], TimeSpan.FromSeconds(30), Stop);
        await store.WriteAsync(good with { InstanceId = "huge" }, new byte[100_000], TimeSpan.FromSeconds(30), Stop);
        await store.WriteAsync(good with { InstanceId = "vanished" }, [1], TimeSpan.FromSeconds(30), Stop);
        await Redis.ExecuteAsync(["DEL", $"openplatform:lease:{{{_service}}}:vanished"], Stop);
        await Redis.ExecuteAsync(["RPUSH", $"openplatform:lease:{{{_service}}}:vanished", "not a string"], Stop);

        Assert.Equal(["good"], (await LeasesAsync()).Select(lease => lease.InstanceId));
    }

    [Fact]
    public async Task More_instances_than_are_ever_read_do_not_make_a_read_larger()
    {
        var store = new LeaseStore(Redis);
        var lease = new InstanceLease(_service, "x", new Uri("http://127.0.0.1:1"), null, 100, InstanceStatus.Ready, InFourSeconds);
        for (var i = 0; i < LeaseStore.MaxInstances + 20; i++)
        {
            var one = lease with { InstanceId = $"i{i}" };
            await store.WriteAsync(one, LeaseText.Sign(one, System.Text.Encoding.UTF8.GetBytes(Key)), TimeSpan.FromSeconds(30), Stop);
        }

        Assert.Equal(LeaseStore.MaxInstances, (await store.ReadAsync(_service, Stop)).Count);
    }

    [Fact]
    public async Task A_service_without_a_key_has_no_leases() => Assert.Empty(await Registry.ReadAsync("unheard-of", Stop));

    private async Task<IReadOnlyList<InstanceLease>> LeasesAsync() => await Registry.ReadAsync(_service, Stop);

    private Task<ServiceProcess> StartOrdersAsync() => ServiceProcess.StartAsync("Orders.dll", new Dictionary<string, string>
    {
        ["ConnectionStrings__redis"] = server.ConnectionString,
        ["OpenPlatform__Leases__Service"] = _service,
        ["OpenPlatform__Leases__Key"] = Key,
        ["OpenPlatform__Leases__Zone"] = "zone-1",
        ["OpenPlatform__Leases__Weight"] = "300",
    });

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _reader.StopAsync();
        _reader.Dispose();
    }
}
