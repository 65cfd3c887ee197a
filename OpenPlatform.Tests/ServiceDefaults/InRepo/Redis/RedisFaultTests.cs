using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using OpenPlatform.ServiceDefaults.Deployment;
using OpenPlatform.ServiceDefaults.Redis;
using OpenPlatform.ServiceDefaults.Redis.InRepo;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.ServiceDefaults.InRepo.Redis;

public sealed class RedisFaultsOnRedisTests : RedisFaultTests<RedisServerFixture>;

public sealed class RedisFaultsOnGarnetTests : RedisFaultTests<GarnetFixture>;

/// <summary>The server dies, freezes, comes back. Each test has a server of its own.</summary>
public abstract class RedisFaultTests<TServer> : IAsyncLifetime
    where TServer : RedisLikeServer, new()
{
    /// <summary>Deadline plus the watchdog's tick plus a busy machine.</summary>
    private static readonly TimeSpan DeadlineAndSome = TimeSpan.FromSeconds(2.5);

    private readonly TServer _server = new();
    private RedisClient _redis = null!; // stays null when the server is missing and the test is skipped

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _server.StartAsync();
        _redis = Connect(new RedisOptions());
        await Eventually.TrueAsync(() => _redis.IsAvailable);
    }

    [Fact]
    public async Task A_killed_server_fails_calls_at_once_and_serves_again_when_it_is_back()
    {
        var heard = 0;
        using var subscription = _redis.Subscribe("channel", _ => Interlocked.Increment(ref heard));
        await _server.KillAsync();
        await Eventually.TrueAsync(() => !_redis.IsAvailable);
        var watch = Stopwatch.StartNew();
        await Assert.ThrowsAsync<RedisUnavailableException>(async () => await _redis.ExecuteAsync(["PING"], Stop));
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromMilliseconds(200));

        await _server.StartAsync();
        await Eventually.TrueAsync(() => _redis.IsAvailable);
        Assert.Equal("PONG", (await _redis.ExecuteAsync(["PING"], Stop)).AsString());
        var script = new RedisScript("return 7");
        Assert.Equal(7, (await _redis.EvaluateAsync(script, [], [], Stop)).AsInt64());
        await Eventually.TrueAsync(async () =>
        {
            await _redis.ExecuteAsync(["PUBLISH", "channel", "again"], Stop);
            return Volatile.Read(ref heard) > 0;
        });
    }

    [Fact]
    public async Task A_frozen_server_ends_every_call_by_its_deadline_keeps_the_window_bounded_and_recovers()
    {
        await using var narrow = Connect(new RedisOptions { Window = 100 });
        await narrow.ExecuteAsync(["SET", "counter", 0], Stop);
        _server.Freeze();
        var watch = Stopwatch.StartNew();
        var calls = Enumerable.Range(0, 5000).Select(async _ =>
        {
            try
            {
                await narrow.ExecuteAsync(["INCR", "counter"], Stop);
                return "answered";
            }
            catch (RedisUnavailableException)
            {
                return "unavailable";
            }
        }).ToArray();
        var ends = await Task.WhenAll(calls).WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, DeadlineAndSome);
        Assert.All(ends, end => Assert.Equal("unavailable", end));
        await Eventually.TrueAsync(() => !narrow.IsAvailable, TimeSpan.FromSeconds(4)); // the stall kills the connection

        _server.Thaw();
        await Eventually.TrueAsync(() => narrow.IsAvailable);
        var late = (await narrow.ExecuteAsync(["GET", "counter"], Stop)).AsInt64();
        Assert.InRange(late, 0, 100); // no more than the window ever reached the server
    }

    [Fact]
    public async Task Cancelling_a_call_ends_it_at_once_and_disturbs_no_other()
    {
        await _redis.ExecuteAsync(["SET", "key", "value"], Stop);
        _server.Freeze();
        using var impatient = new CancellationTokenSource();
        var cancelled = _redis.ExecuteAsync(["GET", "key"], impatient.Token).AsTask();
        var patient = _redis.ExecuteAsync(["GET", "key"], Stop).AsTask();
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        _server.Thaw();
        Assert.Equal("value", (await patient).AsString());
    }

    [Fact]
    public async Task Under_load_a_kill_and_a_restart_mix_up_no_answers()
    {
        using var load = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        long right = 0, wrong = 0, unavailable = 0;
        var callers = Enumerable.Range(0, 16).Select(async caller =>
        {
            for (var n = 0; !load.IsCancellationRequested; n++)
            {
                var text = $"{caller}-{n}";
                try
                {
                    var answer = (await _redis.ExecuteAsync(["ECHO", text], CancellationToken.None)).AsString();
                    Interlocked.Increment(ref answer == text ? ref right : ref wrong);
                }
                catch (RedisUnavailableException)
                {
                    Interlocked.Increment(ref unavailable);
                    await Task.Yield();
                }
            }
        }).ToArray();
        await Eventually.TrueAsync(() => Interlocked.Read(ref right) > 1000);
        await _server.KillAsync();
        await Eventually.TrueAsync(() => Interlocked.Read(ref unavailable) > 0);
        await _server.StartAsync();
        var before = Interlocked.Read(ref right);
        await Eventually.TrueAsync(() => Interlocked.Read(ref right) > before + 1000);
        await load.CancelAsync();
        await Task.WhenAll(callers);
        Assert.Equal(0, wrong);
    }

    [Fact]
    public async Task A_host_starts_and_stops_though_the_server_is_away()
    {
        await _server.KillAsync();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration["ConnectionStrings:redis"] = _server.ConnectionString;
        builder.AddRedisClient("redis");
        using var host = builder.Build();
        await host.StartAsync(Stop);
        var redis = host.Services.GetRequiredService<IRedis>();
        Assert.False(redis.IsAvailable);
        await Assert.ThrowsAsync<RedisUnavailableException>(async () => await redis.ExecuteAsync(["PING"], Stop));
        await _server.StartAsync();
        await Eventually.TrueAsync(() => redis.IsAvailable);
        await host.StopAsync(Stop);
    }

    [Fact]
    public async Task A_missing_connection_string_stops_the_start_and_is_named()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.AddRedisClient("redis");
        using var host = builder.Build();
        var error = await Assert.ThrowsAsync<StartRefusedException>(() => host.StartAsync(Stop));
        Assert.Contains("ConnectionStrings:redis", error.Message, StringComparison.Ordinal);
    }

    private RedisClient Connect(RedisOptions template)
    {
        var parsed = RedisOptions.Parse(_server.ConnectionString);
        return new RedisClient(
            new RedisOptions { Endpoints = parsed.Endpoints, Password = parsed.Password, Window = template.Window }, TimeProvider.System, NullLogger<RedisClient>.Instance);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }

        await _server.DisposeAsync();
    }
}
