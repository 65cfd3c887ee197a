using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Limits;

/// <summary>
/// Three gateways, one Redis, four fifths of the traffic at one of them. What was given is compared with what flowed in between two moments
/// at which a gateway refused: only then is it known that nothing lay unused because a busy machine asked for less than it could have had.
/// </summary>
public sealed class ThreeReplicaTests(RedisServerFixture server) : IClassFixture<RedisServerFixture>
{
    private const double PerSecond = 150;
    private const int Burst = 900;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Three_replicas_give_the_entitlement_with_Redis_without_it_and_when_it_is_back()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(
            TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(Burst, (int)(Burst / PerSecond))]));
        await using var one = await StartAsync(catalog);
        await using var two = await StartAsync(catalog);
        await using var three = await StartAsync(catalog);
        Replica[] replicas = [new(one), new(two), new(three)];

        // A full bucket, and what flows in: at most 101 %, at least 98 %. It begins to fill at the first loan, between the first request and its answer.
        var began = Stopwatch.GetTimestamp();
        await RunAsync(replicas, TimeSpan.FromSeconds(4));
        var allowed = replicas.Sum(static replica => replica.Allowed);
        var entitled = Burst + (PerSecond * Stopwatch.GetElapsedTime(began).TotalSeconds);
        Assert.True(allowed <= 1.01 * entitled, $"{allowed} of {entitled}");
        entitled = Burst + (PerSecond * Stopwatch.GetElapsedTime(replicas.Min(static replica => replica.FirstAnswered), replicas.Min(static replica => replica.Empty.Asked)).TotalSeconds);
        Assert.True(allowed >= 0.98 * entitled, $"{allowed} of {entitled}");

        // Frozen is gone. The bucket was empty: only what flows in. Nobody fails, and once the silence is noticed nobody waits.
        server.Freeze();
        await RunAsync(replicas, TimeSpan.Zero, until: () => replicas.All(static replica => !replica.Lender.IsUsable));
        await RunAsync(replicas, TimeSpan.Zero);
        var waited = replicas.Sum(static replica => replica.Lender.Awaited);
        var emptied = Array.ConvertAll(replicas, static replica => replica.Empty);
        await RunAsync(replicas, TimeSpan.FromSeconds(3));
        var (given, flowed) = Since(emptied, replicas);
        Assert.True(given <= 1.10 * flowed, $"{given} of {flowed} without Redis");
        Assert.Equal(waited, replicas.Sum(static replica => replica.Lender.Awaited));

        // Back: no burst. (A bucket of six seconds that was empty when Redis went fills for as long as nobody paid.)
        emptied = Array.ConvertAll(replicas, static replica => replica.Empty);
        server.Thaw();
        await RunAsync(replicas, TimeSpan.FromSeconds(3), until: () => replicas.All(static replica => replica.Lender.IsUsable));
        await RunAsync(replicas, TimeSpan.FromSeconds(1));
        (given, flowed) = Since(emptied, replicas);
        Assert.True(given <= (1.10 * flowed) + (Burst * 0.1), $"{given} of {flowed} after Redis came back");
    }

    [Fact]
    public async Task An_exact_limit_gives_over_three_replicas_what_it_says_and_not_one_more()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(100, 86_400) { Exact = true }]));
        await using var one = await StartAsync(catalog);
        await using var two = await StartAsync(catalog);
        await using var three = await StartAsync(catalog);
        Replica[] replicas = [new(one), new(two), new(three)];
        await Parallel.ForEachAsync(Enumerable.Range(0, 12), new ParallelOptions { MaxDegreeOfParallelism = 12, CancellationToken = Stop }, async (client, stop) =>
        {
            var replica = replicas[client % 3];
            using var http = replica.Gateway.Client();
            for (var i = 0; i < 20; i++)
            {
                await replica.AskAsync(http, stop);
            }
        });
        Assert.Equal(100, replicas.Sum(static replica => replica.Allowed));
    }

    [Fact]
    public async Task A_gateway_counts_only_its_own_requests_that_waited()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(100, 60) { Exact = true }]));
        await using var busy = await StartAsync(catalog);
        await using var idle = await StartAsync(catalog);
        using var client = busy.Client();
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
        }

        Assert.Equal((5, 0), (busy.Services.GetRequiredService<TokenLender>().Awaited, idle.Services.GetRequiredService<TokenLender>().Awaited));
    }

    private async Task<GatewayHost> StartAsync(TestCatalog catalog)
    {
        // A second: a Redis that only waits for a core of a busy machine is not silent.
        var gateway = await GatewayHost.StartAsync(catalog, settings:
            [("ConnectionStrings:redis", server.ConnectionString), ("OpenPlatform:Gateway:Limits:LoanDeadline", "00:00:01")]);
        await LimitTests.WarmAsync(gateway.Services.GetRequiredService<TokenLender>());
        gateway.Services.GetRequiredService<GatewayCount>().Live = 3;
        return gateway;
    }

    /// <summary>Ten clients ask for at least <paramref name="time"/>, and until after that each gateway has refused: until they asked for more than there was.</summary>
    private static async Task RunAsync(Replica[] replicas, TimeSpan time, Func<bool>? until = null)
    {
        var began = Stopwatch.GetTimestamp();
        var due = began + (long)(time.TotalSeconds * Stopwatch.Frequency);
        await Parallel.ForEachAsync(Enumerable.Range(0, 10), new ParallelOptions { MaxDegreeOfParallelism = 10, CancellationToken = Stop }, async (client, stop) =>
        {
            var replica = replicas[client < 8 ? 0 : client - 7];
            using var http = replica.Gateway.Client();
            while (replicas.Any(replica => replica.Empty.Asked < due) || until?.Invoke() == false)
            {
                Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromMinutes(2), "The clients did not ask for more than there was.");
                if (!await replica.AskAsync(http, stop))
                {
                    await Task.Delay(3, stop); // two cores serve clients, gateways and backend
                }
            }
        });
    }

    /// <summary>What was given since the gateways were empty, and what flowed to each of them, a third of it, from then on.</summary>
    private static (int Given, double Flowed) Since((long Asked, int Allowed)[] emptied, Replica[] replicas) => (
        replicas.Zip(emptied).Sum(static pair => pair.First.Allowed - pair.Second.Allowed),
        emptied.Sum(static empty => PerSecond / 3 * Stopwatch.GetElapsedTime(empty.Asked).TotalSeconds));

    /// <summary>A gateway, and what its clients have seen.</summary>
    private sealed class Replica(GatewayHost gateway)
    {
        private readonly Lock _lock = new();

        public GatewayHost Gateway => gateway;

        public TokenLender Lender { get; } = gateway.Services.GetRequiredService<TokenLender>();

        public int Allowed { get; private set; }

        public long FirstAnswered { get; private set; }

        /// <summary>The last refusal: when it was asked for, after which it was decided, and how many had been allowed.</summary>
        public (long Asked, int Allowed) Empty { get; private set; }

        public async Task<bool> AskAsync(HttpClient http, CancellationToken stop)
        {
            var asked = Stopwatch.GetTimestamp();
            using var response = await http.GetAsync("/orders/v1/orders", stop);
            Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.TooManyRequests, $"{response.StatusCode}");
            lock (_lock)
            {
                FirstAnswered = FirstAnswered == 0 ? Stopwatch.GetTimestamp() : FirstAnswered;
                if (response.StatusCode == HttpStatusCode.OK)
                {
                    Allowed++;
                    return true;
                }

                Empty = asked > Empty.Asked ? (asked, Allowed) : Empty;
                return false;
            }
        }
    }
}
