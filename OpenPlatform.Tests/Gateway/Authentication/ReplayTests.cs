using System.Net;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Authentication.Replay;
using OpenPlatform.ServiceDefaults.Redis;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;
using Microsoft.Extensions.DependencyInjection;

namespace OpenPlatform.Tests.Gateway.Authentication;

/// <summary>A nonce counts once over all gateways, as long as Redis answers; at each gateway, always.</summary>
public sealed class ReplayOnRedisTests(RedisServerFixture redis) : ReplayTests(redis), IClassFixture<RedisServerFixture>;

/// <inheritdoc cref="ReplayOnRedisTests"/>
public sealed class ReplayOnGarnetTests(GarnetFixture redis) : ReplayTests(redis), IClassFixture<GarnetFixture>;

public abstract class ReplayTests(RedisLikeServer redis)
{
    private const string Path = "/orders/v1/orders";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_nonce_is_refused_at_every_gateway()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(Signing.Snapshot(backend.Address, [CredentialSchemes.Hmac], replayCheck: true));
        await using var one = await StartAsync(catalog);
        await using var two = await StartAsync(catalog);
        var nonce = Signing.Nonce();
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Unauthorized), (await CallAsync(one, nonce), await CallAsync(two, nonce)));

        // Many at once at both: exactly one passes.
        nonce = Signing.Nonce();
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => CallAsync(i % 2 == 0 ? one : two, nonce)));
        Assert.Single(answers, HttpStatusCode.OK);
        Assert.Equal(19, answers.Count(static status => status == HttpStatusCode.Unauthorized));
    }

    [Fact]
    public async Task Without_Redis_each_gateway_refuses_what_it_saw_itself()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(Signing.Snapshot(backend.Address, [CredentialSchemes.Hmac], replayCheck: true));
        var address = $"127.0.0.1:{FreePort.Next()},password=x";
        await using var one = await GatewayHost.StartAsync(catalog, settings: [Signing.Setting, ("ConnectionStrings:redis", address)]);
        var nonce = Signing.Nonce();
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Unauthorized), (await CallAsync(one, nonce), await CallAsync(one, nonce)));
    }

    private async Task<GatewayHost> StartAsync(TestCatalog catalog)
    {
        var gateway = await GatewayHost.StartAsync(
            catalog, settings: [Signing.Setting, ("ConnectionStrings:redis", redis.ConnectionString), ("OpenPlatform:Gateway:Authentication:ReplayDeadline", "00:00:05")]);
        await Eventually.TrueAsync(() => gateway.Services.GetRequiredService<IRedis>().IsAvailable);
        return gateway;
    }

    private static async Task<HttpStatusCode> CallAsync(GatewayHost gateway, string nonce)
    {
        using var client = gateway.Client(key: null);
        using var request = Signing.Hmac(HttpMethod.Get, Path, DateTimeOffset.UtcNow, nonce);
        using var response = await client.SendAsync(request, Stop);
        return response.StatusCode;
    }
}

public sealed class NonceMemoryTests
{
    [Fact]
    public void A_nonce_is_known_for_its_time_and_the_memory_stays_bounded()
    {
        var time = new ManualTime();
        var memory = new NonceMemory(1000, TimeSpan.FromMinutes(10), time);
        Assert.True(memory.TryAdd(1));
        time.Advance(TimeSpan.FromMinutes(9.9));
        Assert.False(memory.TryAdd(1));
        Assert.True(memory.TryAdd(2));
        time.Advance(TimeSpan.FromMinutes(9.9));
        Assert.False(memory.TryAdd(2));
        time.Advance(TimeSpan.FromMinutes(30));
        Assert.True(memory.TryAdd(1));

        // The last half of the capacity is always known; what is older than all of it is not.
        for (UInt128 nonce = 100; nonce < 2100; nonce++)
        {
            Assert.True(memory.TryAdd(nonce));
        }

        Assert.False(memory.TryAdd(2099));
        Assert.False(memory.TryAdd(1700));
        Assert.True(memory.TryAdd(100));
    }
}
