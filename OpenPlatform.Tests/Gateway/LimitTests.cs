using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.ServiceDefaults.Redis;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway;

/// <summary>Limits shared through redis-server.</summary>
public sealed class LimitsOnRedisTests(RedisServerFixture server) : LimitTests(server), IClassFixture<RedisServerFixture>
{
    [Fact]
    public async Task A_frozen_Redis_fails_no_request_and_delays_few_of_them()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(50, 3600)]));
        await using var gateway = await StartAsync(catalog, loanDeadline: "00:00:00.05");
        using var client = gateway.Client();
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(HttpStatusCode.OK, await CallAsync(client));
        }

        Server.Freeze();
        try
        {
            // The limit still holds, now by this gateway alone: 50 in all, no error, nobody waits longer than for one loan.
            var answers = new List<HttpStatusCode>();
            for (var i = 0; i < 60; i++)
            {
                answers.Add(await CallAsync(client));
            }

            Assert.All(answers, static status => Assert.True(status is HttpStatusCode.OK or HttpStatusCode.TooManyRequests, $"{status}"));
            Assert.InRange(answers.Count(static status => status == HttpStatusCode.OK), 39, 41);
        }
        finally
        {
            Server.Thaw();
        }

        // What was served meanwhile is paid back: the return of Redis gives no second helping.
        var lender = gateway.Services.GetRequiredService<TokenLender>();
        await Eventually.TrueAsync(async () => await CallAsync(client) is HttpStatusCode.OK or HttpStatusCode.TooManyRequests && lender.IsUsable);
        var more = 0;
        for (var i = 0; i < 20; i++)
        {
            more += await CallAsync(client) == HttpStatusCode.OK ? 1 : 0;
        }

        Assert.InRange(more, 0, 1);
    }

    /// <summary>In turns, so that whatever else the machine does meets both alike.</summary>
    [Fact]
    public async Task A_frozen_Redis_makes_the_median_no_slower_and_few_wait()
    {
        const int Rounds = 6, Calls = 150;
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(6_000, 60)]));
        await using var gateway = await StartAsync(catalog, loanDeadline: "00:00:00.05");
        var lender = gateway.Services.GetRequiredService<TokenLender>();
        using var client = gateway.Client();
        var there = new List<double>();
        var frozen = new List<double>();
        long waited = 0;
        for (var round = 0; round < Rounds; round++)
        {
            await Eventually.TrueAsync(async () => await CallAsync(client) == HttpStatusCode.OK && lender.IsUsable);
            await TimeAsync(there);
            Server.Freeze();
            try
            {
                var before = lender.Awaited;
                await TimeAsync(frozen);
                waited += lender.Awaited - before;
            }
            finally
            {
                Server.Thaw();
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"median {Median(there):F3} ms with Redis, {Median(frozen):F3} ms without; {waited} of {Rounds * Calls} waited");
        Assert.True(Median(frozen) <= 1.5 * Median(there), $"{Median(frozen)} ms without Redis, {Median(there)} ms with it");
        Assert.InRange(waited, 0, 2 * Rounds); // one finds out that Redis is silent; another may be on its way

        async Task TimeAsync(List<double> times)
        {
            for (var i = 0; i < Calls; i++)
            {
                var began = System.Diagnostics.Stopwatch.GetTimestamp();
                Assert.Equal(HttpStatusCode.OK, await CallAsync(client));
                times.Add(System.Diagnostics.Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            }
        }

        static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);
    }

    [Fact]
    public async Task A_Redis_that_lost_everything_gives_no_second_helping()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(20, 3600)]));
        await using var gateway = await StartAsync(catalog);
        using var client = gateway.Client();
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(HttpStatusCode.OK, await CallAsync(client));
        }

        await Server.KillAsync();
        var lender = gateway.Services.GetRequiredService<TokenLender>();
        await Eventually.TrueAsync(() => !lender.IsUsable);
        Assert.Equal(HttpStatusCode.TooManyRequests, await CallAsync(client));
        await Server.StartAsync();
        await Eventually.TrueAsync(async () => await CallAsync(client) == HttpStatusCode.TooManyRequests && lender.IsUsable);
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(HttpStatusCode.TooManyRequests, await CallAsync(client));
        }
    }
}

/// <summary>The same on Garnet, which runs another Lua.</summary>
public sealed class LimitsOnGarnetTests(GarnetFixture server) : LimitTests(server), IClassFixture<GarnetFixture>;

public abstract class LimitTests(RedisLikeServer server)
{
    protected RedisLikeServer Server { get; } = server;

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_gateways_share_a_small_limit_exactly()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(7, 3600)]));
        await using var first = await StartAsync(catalog);
        await using var second = await StartAsync(catalog);
        using var one = first.Client();
        using var two = second.Client();

        var allowed = 0;
        for (var i = 0; i < 20; i++)
        {
            allowed += await CallAsync(i % 2 == 0 ? one : two) == HttpStatusCode.OK ? 1 : 0;
        }

        Assert.Equal(7, allowed);
        using var refused = await one.GetAsync("/orders/v1/orders", Stop);
        await PipelineTests.AssertRefusedAsync(refused, HttpStatusCode.TooManyRequests, "rate-limited");
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 400, 515); // a seventh of an hour
    }

    [Fact]
    public async Task Under_load_from_all_sides_a_limit_is_neither_exceeded_nor_wasted()
    {
        const int Limit = 1000;
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(Limit, 86_400)]));
        await using var first = await StartAsync(catalog);
        await using var second = await StartAsync(catalog);

        var allowed = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, 8), Stop, async (client, stop) =>
        {
            // Four fifths of the clients are at one gateway.
            using var http = (client < 6 ? first : second).Client();
            for (var i = 0; i < 200; i++)
            {
                if (await CallAsync(http) == HttpStatusCode.OK)
                {
                    Interlocked.Increment(ref allowed);
                }
            }
        });

        // A window of a day gives back 0.7 a minute; a hundredth may lie with a gateway that has run out of requests.
        Assert.InRange(allowed, Limit * 98 / 100, Limit + 2);
    }

    [Fact]
    public async Task Who_obeys_Retry_After_succeeds()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(2, 2)]));
        await using var gateway = await StartAsync(catalog);
        using var client = gateway.Client();
        TimeSpan? wait = null;
        for (var i = 0; i < 20 && wait is null; i++)
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            wait = response.StatusCode == HttpStatusCode.TooManyRequests ? response.Headers.RetryAfter!.Delta : null;
        }

        Assert.Equal(TimeSpan.FromSeconds(1), wait);
        await Task.Delay(wait!.Value, Stop); // what the answer asks for
        Assert.Equal(HttpStatusCode.OK, await CallAsync(client));
    }

    [Fact]
    public async Task The_script_lends_what_is_there_and_takes_what_is_owed()
    {
        await using var gateway = await GatewayHost.StartAsync(catalog: null, untilReady: false, settings: ("ConnectionStrings:redis", Server.ConnectionString));
        var redis = gateway.Services.GetRequiredService<IRedis>();
        await Eventually.TrueAsync(() => redis.IsAvailable);
        var lender = gateway.Services.GetRequiredService<TokenLender>();
        await WarmAsync(lender);
        var key = $"openplatform:test:{Guid.NewGuid():N}";
        const long Hour = 3_600_000_000;
        double known = 0;
        async ValueTask<Loan> Lend(long wanted, long owed = 0, long remembered = 0)
        {
            var loan = await lender.LendAsync(new(key, $"{key}:account", 7, Hour, wanted, 1) { Owed = owed, Remembered = remembered, Known = known }, Stop);
            known = loan.Account;
            return loan;
        }

        Assert.Equal((3L, 4L, 0L), Parts(await Lend(3)));
        Assert.Equal((1L, 3L, 0L), Parts(await Lend(1)));
        Assert.Equal((0L, 1L, 0L), Parts(await Lend(0, owed: 2)));
        Assert.Equal(1L, (await Lend(5)).Granted);
        var empty = await Lend(1);
        Assert.Equal(0, empty.Granted);
        Assert.InRange(empty.WaitMicroseconds, (Hour / 7) - 60_000_000, (Hour / 7) + 10); // rounded up, and a tenth of a µs at each loan
        Assert.InRange(empty.FullMicroseconds, Hour - 60_000_000, Hour + 10);

        // Owed more than a bucket holds: it is full of debt, not deeper. Forgotten: the gateway's memory counts.
        Assert.InRange((await Lend(1, owed: 1000)).WaitMicroseconds, (Hour / 7) - 60_000_000, (Hour / 7) + 10);
        await redis.ExecuteAsync(["DEL", key], Stop);
        Assert.Equal((1L, 1L, 0L), Parts(await Lend(1, owed: 0, remembered: 5)));
    }

    [Fact]
    public async Task A_loan_whose_answer_was_lost_is_not_charged_twice()
    {
        await using var connection = RedisConnection.Open(Server.ConnectionString);
        var lender = new TokenLender(connection.Redis, new MonotonicClock(TimeProvider.System));
        await WarmAsync(lender);
        ValueTask<Loan> Lend(string key, long wanted, double owed, double known) =>
            lender.LendAsync(new(key, $"{key}:account", 7, 3_600_000_000, wanted, 1) { Owed = owed, Remembered = owed, Known = known }, Stop);

        // Three are lent and the answer is lost; two are served meanwhile. One of the three is left.
        var key = $"openplatform:test:{Guid.NewGuid():N}";
        await Lend(key, 3, owed: 0, known: 0);
        var next = await Lend(key, 1, owed: 2, known: 0);
        Assert.Equal((1L, 4L, 3.0), (next.Granted, next.Left, next.Account));
        next = await Lend(key, 1, owed: 0, known: next.Account);
        Assert.Equal((1L, 3L, 4.0), (next.Granted, next.Left, next.Account));

        // What was paid is not paid again either.
        next = await Lend(key, 1, owed: 2, known: 3);
        Assert.Equal((1L, 1L, 6.0), (next.Granted, next.Left, next.Account));
    }

    [Fact]
    public async Task Who_obeys_Retry_After_succeeds_whichever_answers_of_Redis_are_lost()
    {
        await using var connection = RedisConnection.Open(Server.ConnectionString);
        var clock = new MonotonicClock(TimeProvider.System);
        await WarmAsync(new(connection.Redis, clock));

        // Which of the first four calls of Redis lose their answer, with and without time for a new try between the requests.
        await Task.WhenAll(Enumerable.Range(0, 64).Select(async pattern =>
        {
            var redis = new ForgetfulRedis(connection.Redis, pattern & 15);
            var limiter = new RateLimiter(
                $"openplatform:test:{Guid.NewGuid():N}", RateLimit.Of(new RateLimitModel(2, 2)), TimeSpan.FromSeconds(10), new(redis, clock), clock, new GatewayCount(), TimeProvider.System);
            var (decision, wait) = await TakeAsync(limiter);
            for (var i = 0; i < 20 && decision == LimitDecision.Allowed; i++)
            {
                await Task.Delay(pattern >> 4 is 0 ? 1 : 70 * (pattern >> 4), Stop);
                (decision, wait) = await TakeAsync(limiter);
            }

            Assert.Equal(LimitDecision.Refused, decision);
            Assert.Equal(1, RateLimiter.Seconds(wait));
            await Task.Delay(TimeSpan.FromSeconds(1), Stop); // what the answer asks for
            (decision, _) = await TakeAsync(limiter);
            Assert.True(decision == LimitDecision.Allowed, $"pattern {pattern}");
        }));
    }

    private static async ValueTask<(LimitDecision Decision, long Wait)> TakeAsync(RateLimiter limiter)
    {
        var decision = limiter.TryTake(1, out var wait);
        return decision == LimitDecision.Wait ? await limiter.WaitAsync(1) : (decision, wait);
    }

    private protected async Task<GatewayHost> StartAsync(TestCatalog catalog, string? loanDeadline = null)
    {
        var gateway = await GatewayHost.StartAsync(catalog, settings:
        [
            ("ConnectionStrings:redis", Server.ConnectionString), ("OpenPlatform:Gateway:Limits:LoanDeadline", loanDeadline ?? "00:00:10"),
        ]);
        var lender = gateway.Services.GetRequiredService<TokenLender>();
        await Eventually.TrueAsync(() => lender.IsUsable);

        await WarmAsync(lender);
        return gateway;
    }

    /// <summary>A server compiles a script when it first sees it: not within a request of a test that counts exactly.</summary>
    internal static Task WarmAsync(TokenLender lender) => Eventually.TrueAsync(async () =>
    {
        try
        {
            await lender.LendAsync(new("openplatform:test:{warm}", "openplatform:test:{warm}:account", 1, 1, 0, 0), Stop);
            return lender.IsUsable;
        }
        catch (RedisUnavailableException)
        {
            return false;
        }
    });

    protected static async Task<HttpStatusCode> CallAsync(HttpClient client)
    {
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        return response.StatusCode;
    }

    private static (long Granted, long Left, long Wait) Parts(Loan loan) => (loan.Granted, loan.Left, loan.WaitMicroseconds);
}

/// <summary>A Redis that does what it is asked and loses some of its first answers.</summary>
/// <param name="lost">Bit n: the answer of call n.</param>
internal sealed class ForgetfulRedis(IRedis redis, int lost) : IRedis
{
    private int _calls = -1;

    public bool IsAvailable => redis.IsAvailable;

    public ValueTask<RedisReply> ExecuteAsync(ReadOnlySpan<RedisArgument> command, CancellationToken cancellationToken = default) =>
        redis.ExecuteAsync(command, cancellationToken);

    public ValueTask<RedisReply> EvaluateAsync(
        RedisScript script, ReadOnlySpan<RedisArgument> keys, ReadOnlySpan<RedisArgument> arguments, CancellationToken cancellationToken = default)
    {
        var call = Interlocked.Increment(ref _calls);
        var reply = redis.EvaluateAsync(script, keys, arguments, cancellationToken);
        return call < 32 && (lost >> call & 1) == 1 ? LoseAsync(reply) : reply;
    }

    public IDisposable Subscribe(string channel, Action<string> onMessage) => redis.Subscribe(channel, onMessage);

    private static async ValueTask<RedisReply> LoseAsync(ValueTask<RedisReply> reply)
    {
        await reply;
        throw new RedisUnavailableException("The answer was lost.");
    }
}
