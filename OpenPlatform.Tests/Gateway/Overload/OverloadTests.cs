using System.Diagnostics;
using System.Net;
using OpenPlatform.Gateway.Overload;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Overload;

/// <summary>More requests than a backend can take: it stays as fast as it is, and the highest plans notice nothing.</summary>
public sealed class OverloadTests(ITestOutputHelper output)
{
    /// <summary>The backend works on so many requests at once, each for <see cref="ServiceTime"/>; the others queue in it.</summary>
    private const int Capacity = 8;

    private static readonly TimeSpan ServiceTime = TimeSpan.FromMilliseconds(40);

    /// <summary>Who waited longer than this has given up: a late answer is no goodput.</summary>
    private static readonly TimeSpan Patience = ServiceTime * 5;

    [Fact]
    public async Task At_three_times_capacity_the_goodput_stays_and_the_top_plan_is_not_shed()
    {
        using var places = new SemaphoreSlim(Capacity);
        await using var backend = await TestBackend.StartAsync(async context =>
        {
            await places.WaitAsync();
            try
            {
                await Task.Delay(ServiceTime);
            }
            finally
            {
                places.Release();
            }

            await TestBackend.Hello(context);
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithStrangerSubscribed(priority: 9));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings:
        [
            ("OpenPlatform:Gateway:Overload:MinLimit", "4"), ("OpenPlatform:Gateway:Overload:InitialLimit", "64"),
        ]);
        await RunAsync(gateway, low: Capacity, top: 0, TimeSpan.FromSeconds(1)); // connections, code
        var peak = await RunAsync(gateway, low: Capacity, top: 0, TimeSpan.FromSeconds(3));
        await RunAsync(gateway, low: 6 * Capacity, top: 2, TimeSpan.FromSeconds(2)); // the limit finds its place
        var over = await RunAsync(gateway, low: 6 * Capacity, top: 2, TimeSpan.FromSeconds(4));
        output.WriteLine($"peak {peak}; over {over}");

        Assert.Equal(0, over.TopShed);
        Assert.True(over.Shed > 0, "Nothing was shed: this was no overload.");
        Assert.True(over.GoodPerSecond >= 0.9 * peak.GoodPerSecond, $"peak {peak}; over {over}");
    }

    [Fact]
    public void A_request_is_let_in_while_those_of_its_own_and_higher_priority_are_fewer_than_the_limit()
    {
        var gate = new OverloadGate(new() { MinLimit = 3, InitialLimit = 3, MaxLimit = 3 });
        var low = Enumerable.Range(0, 4).Select(_ => Enter(0)).ToArray();
        Assert.Equal([true, true, true, false], low.Select(static pass => pass is not null));
        var top = Enumerable.Range(0, 4).Select(_ => Enter(9)).ToArray();
        Assert.Equal([true, true, true, false], top.Select(static pass => pass is not null));
        low[0]!.Value.Leave(sample: false);
        Assert.Null(Enter(0));
        Assert.Null(Enter(5));
        top[0]!.Value.Leave(sample: false);
        Assert.NotNull(Enter(5));

        OverloadGate.Pass? Enter(int priority) => gate.TryEnter(priority, out var pass) ? pass : null;
    }

    [Fact]
    public void The_limit_falls_while_requests_queue_and_rises_again_when_they_do_not()
    {
        var limit = new GradientLimit(new() { MinLimit = 5, InitialLimit = 200, MaxLimit = 400 });
        long now = Stopwatch.Frequency;
        Windows(25, static inFlight => Latency(inFlight, capacity: 50));
        Assert.InRange(limit.Current, 50, 110);
        Windows(30, static inFlight => Latency(inFlight, capacity: 20));
        Assert.InRange(limit.Current, 20, 55);
        Windows(200, static inFlight => Latency(inFlight, capacity: 150));
        Assert.InRange(limit.Current, 130, 320);

        // A closed loop that always fills the limit; one window after the other.
        void Windows(int count, Func<int, double> latency)
        {
            for (var window = 0; window < count; window++)
            {
                for (var i = 0; i < 40; i++)
                {
                    now += Stopwatch.Frequency / 200;
                    limit.Sample((long)(latency(limit.Current) * Stopwatch.Frequency), limit.Current, now);
                }
            }
        }

        static double Latency(int inFlight, int capacity) => 0.010 * Math.Max(1, (double)inFlight / capacity);
    }

    [Fact]
    public void Who_never_comes_near_the_limit_does_not_move_it()
    {
        var limit = new GradientLimit(new() { MinLimit = 5, InitialLimit = 200, MaxLimit = 400 });
        long now = Stopwatch.Frequency;
        var random = new Random(3);
        for (var i = 0; i < 10_000; i++)
        {
            now += Stopwatch.Frequency / 200;
            limit.Sample(random.Next(1000, 10_000_000), 20, now);
        }

        Assert.Equal(200, limit.Current);
    }

    private static async Task<Result> RunAsync(GatewayHost gateway, int low, int top, TimeSpan time)
    {
        using var end = new CancellationTokenSource(time);
        var result = new Result { Seconds = time.TotalSeconds };
        await Task.WhenAll(
        [
            .. Enumerable.Range(0, low).Select(_ => Task.Run(() => CallAsync(gateway.Client(), result, isTop: false, end.Token))),
            .. Enumerable.Range(0, top).Select(_ => Task.Run(() => CallAsync(gateway.Client(TestSnapshot.StrangerKey), result, isTop: true, end.Token))),
        ]);
        return result;
    }

    private static async Task CallAsync(HttpClient client, Result result, bool isTop, CancellationToken end)
    {
        using (client)
        {
            while (!end.IsCancellationRequested)
            {
                var began = Stopwatch.GetTimestamp();
                using var response = await client.GetAsync("/orders/v1/orders", CancellationToken.None);
                if (response.StatusCode == HttpStatusCode.OK)
                {
                    Interlocked.Increment(ref Stopwatch.GetElapsedTime(began) <= Patience && !end.IsCancellationRequested ? ref result.Good : ref result.Late);
                    continue;
                }

                Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
                Assert.NotNull(response.Headers.RetryAfter);
                Interlocked.Increment(ref isTop ? ref result.TopShed : ref result.Shed);
                await Task.Delay(ServiceTime * 2, CancellationToken.None);
            }
        }
    }

    private sealed class Result
    {
        public int Good;
        public int Late;
        public int Shed;
        public int TopShed;

        public double Seconds { get; init; }

        public double GoodPerSecond => Good / Seconds;

        public override string ToString() => $"good {GoodPerSecond:0.0}/s, late {Late}, shed {Shed}, top shed {TopShed}";
    }
}
