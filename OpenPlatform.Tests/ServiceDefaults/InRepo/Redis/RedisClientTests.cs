using Microsoft.Extensions.Logging.Abstractions;
using OpenPlatform.ServiceDefaults.Redis;
using OpenPlatform.ServiceDefaults.Redis.InRepo;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.ServiceDefaults.InRepo.Redis;

public sealed class RedisClientOnRedisTests(RedisServerFixture server) : RedisClientTests<RedisServerFixture>(server);

public sealed class RedisClientOnGarnetTests(GarnetFixture server) : RedisClientTests<GarnetFixture>(server);

/// <summary>The client against a real server of either kind.</summary>
public abstract class RedisClientTests<TServer>(TServer server) : IClassFixture<TServer>, IAsyncDisposable
    where TServer : RedisLikeServer
{
    private readonly RedisClient _redis = Connect(server.ConnectionString);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string Key { get; } = $"test:{Guid.NewGuid():n}";

    [Fact]
    public async Task The_first_call_waits_for_the_first_connection()
    {
        var reply = await _redis.ExecuteAsync(["SET", Key, "grüße", "PX", 60_000], Stop);
        Assert.Equal("OK", reply.AsString());
        Assert.Equal("grüße", (await _redis.ExecuteAsync(["GET", Key], Stop)).AsString());
        Assert.True(_redis.IsAvailable);
    }

    [Fact]
    public async Task Replies_keep_their_kind()
    {
        Assert.True((await _redis.ExecuteAsync(["GET", Key], Stop)).IsNull);
        Assert.Equal(70_000, (await _redis.ExecuteAsync(["INCRBY", Key, 70_000], Stop)).AsInt64());
        Assert.Equal(70_000, (await _redis.ExecuteAsync(["GET", Key], Stop)).AsInt64());
        var list = await _redis.ExecuteAsync(["MGET", Key, Key + "none"], Stop);
        Assert.Equal(["70000", null], list.Items.Select(item => item.AsString()));
        byte[] bytes = [0, 13, 10, 255];
        await _redis.ExecuteAsync(["SET", Key, bytes], Stop);
        Assert.Equal(bytes, (await _redis.ExecuteAsync(["GET", Key], Stop)).AsBytes());
    }

    [Fact]
    public async Task An_error_of_the_server_is_thrown_and_the_next_call_works()
    {
        await _redis.ExecuteAsync(["SET", Key, "text"], Stop);
        var error = await Assert.ThrowsAsync<RedisServerException>(async () => await _redis.ExecuteAsync(["INCR", Key], Stop));
        Assert.Contains("not an integer", error.Message, StringComparison.Ordinal);
        Assert.Equal("text", (await _redis.ExecuteAsync(["GET", Key], Stop)).AsString());
    }

    [Fact]
    public async Task A_thousand_callers_get_each_their_own_answer()
    {
        var numbers = Enumerable.Range(0, 1000).ToArray();
        await Task.WhenAll(numbers.Select(async n => await _redis.ExecuteAsync(["SET", $"{Key}:{n}", n, "PX", 60_000], Stop)));
        var values = await Task.WhenAll(numbers.Select(async n => (await _redis.ExecuteAsync(["GET", $"{Key}:{n}"], Stop)).AsInt64()));
        Assert.Equal(numbers.Select(n => (long)n), values);
    }

    [Fact]
    public async Task A_value_of_a_megabyte_comes_back_whole()
    {
        var value = new byte[1 << 20];
        Random.Shared.NextBytes(value);
        await _redis.ExecuteAsync(["SET", Key, value, "PX", 60_000], Stop);
        Assert.Equal(value, (await _redis.ExecuteAsync(["GET", Key], Stop)).AsBytes());
    }

    [Fact]
    public async Task A_script_runs_though_the_server_has_never_seen_it_and_again_after_it_was_flushed()
    {
        var script = new RedisScript($"-- {Key}\nreturn {{KEYS[1], ARGV[1], redis.call('INCRBY', KEYS[1], ARGV[2])}}");
        for (var round = 1; round <= 3; round++)
        {
            var reply = await _redis.EvaluateAsync(script, [Key], ["a\r\nb", 5], Stop);
            Assert.Equal([Key, "a\r\nb", $"{5 * round}"], reply.Items.Select(item => item.AsString()));
            if (round == 2)
            {
                await _redis.ExecuteAsync(["SCRIPT", "FLUSH"], Stop);
            }
        }
    }

    [Fact]
    public async Task An_error_inside_a_script_is_an_error_of_the_server()
    {
        var script = new RedisScript("return redis.call('NOSUCHCOMMAND')");
        await Assert.ThrowsAsync<RedisServerException>(async () => await _redis.EvaluateAsync(script, [], [], Stop));
    }

    [Fact]
    public async Task A_subscriber_hears_what_is_published_until_it_leaves()
    {
        var heard = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var subscription = _redis.Subscribe(Key, heard.Enqueue);
        await Eventually.TrueAsync(async () => (await _redis.ExecuteAsync(["PUBLISH", Key, "first"], Stop)).AsInt64() == 1);
        await Eventually.TrueAsync(() => heard.Contains("first"));
        subscription.Dispose();
        await Eventually.TrueAsync(async () => (await _redis.ExecuteAsync(["PUBLISH", Key, "late"], Stop)).AsInt64() == 0);
        Assert.DoesNotContain("late", heard);
    }

    [Fact]
    public async Task A_failing_handler_does_not_silence_the_others()
    {
        var heard = 0;
        using var failing = _redis.Subscribe(Key, _ => throw new InvalidOperationException("on purpose"));
        using var counting = _redis.Subscribe(Key, _ => Interlocked.Increment(ref heard));
        await Eventually.TrueAsync(async () =>
        {
            await _redis.ExecuteAsync(["PUBLISH", Key, "x"], Stop);
            return Volatile.Read(ref heard) >= 2;
        });
    }

    [Fact]
    public async Task A_wrong_password_makes_it_unavailable_and_never_appears_in_an_error()
    {
        await using var stranger = Connect($"127.0.0.1:{server.Port},password=not-the-password");
        await Eventually.TrueAsync(async () =>
        {
            var error = await Assert.ThrowsAsync<RedisUnavailableException>(async () => await stranger.ExecuteAsync(["PING"], Stop));
            Assert.DoesNotContain("not-the-password", error.ToString(), StringComparison.Ordinal);
            return true;
        });
        Assert.False(stranger.IsAvailable);
    }

    [Fact]
    public async Task A_command_cancelled_before_it_is_sent_never_runs()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(async () => await _redis.ExecuteAsync(["INCR", Key], cancelled.Token));
        Assert.True((await _redis.ExecuteAsync(["GET", Key], Stop)).IsNull);
    }

    [Theory]
    [InlineData("SUBSCRIBE")]
    [InlineData("multi")]
    [InlineData("BLPOP")]
    public async Task Commands_that_would_hold_up_the_shared_connection_are_refused(string command) =>
        await Assert.ThrowsAsync<ArgumentException>(async () => await _redis.ExecuteAsync([command, "x"], Stop));

    [Fact]
    public async Task A_database_other_than_the_first_is_selected_also_after_a_reconnect()
    {
        await using var third = Connect(server.ConnectionString + ",defaultDatabase=3");
        await third.ExecuteAsync(["SET", Key, "three", "PX", 60_000], Stop);
        Assert.True((await _redis.ExecuteAsync(["GET", Key], Stop)).IsNull);
        Assert.Equal("three", (await third.ExecuteAsync(["GET", Key], Stop)).AsString());
    }

    protected static RedisClient Connect(string connectionString) =>
        new(RedisOptions.Parse(connectionString + ",asyncTimeout=10000"), TimeProvider.System, NullLogger<RedisClient>.Instance);

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _redis.DisposeAsync();
    }
}
