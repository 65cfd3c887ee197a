using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Tests.Gateway.Balancing;

/// <summary>
/// What a slow instance does to the whole backend, as a simulation of discrete events: requests arrive by chance (Poisson), each
/// instance works on four at a time and lets the others queue, its times of service are exponential.
/// </summary>
public sealed class LatencyTests
{
    private const int Requests = 50_000;
    private const int Workers = 4;
    private const double ServiceMs = 10;

    [Theory]
    [InlineData(BalancingAlgorithm.LeastRequests)]
    [InlineData(BalancingAlgorithm.PowerOfTwo)]
    [InlineData(BalancingAlgorithm.PeakEwma)]
    public void With_one_of_five_ten_times_slower_p99_is_at_most_half_of_round_robins(BalancingAlgorithm algorithm)
    {
        // At 5 % nobody is busy: least busy cannot tell who is slow, only measured latencies can.
        foreach (var load in (double[])[0.05, 0.3, 0.6, 0.8])
        {
            var roundRobin = PercentileMs(BalancingAlgorithm.RoundRobin, load, slowFactor: 10);
            var own = PercentileMs(algorithm, load, slowFactor: 10);
            TestContext.Current.TestOutputHelper?.WriteLine($"{algorithm} at {load:P0}: p99 {own:F1} ms, round robin {roundRobin:F1} ms");
            Assert.True(own <= roundRobin / 2, $"p99 {own:F1} ms, round robin {roundRobin:F1} ms at {load:P0} load");
        }
    }

    /// <summary>Who was frozen has the longest latency of all, and must not be punished for it longer than it lasts.</summary>
    [Theory]
    [InlineData(BalancingAlgorithm.LeastRequests)]
    [InlineData(BalancingAlgorithm.PowerOfTwo)]
    public void Who_was_slow_for_a_moment_has_its_share_again_in_seconds(BalancingAlgorithm algorithm)
    {
        var instances = new TestInstances(new(algorithm), configs: TestInstances.Configs(100, 100));
        instances.Count(1000);
        TestInstances.Call(instances["a"], Outcome.Success, ms: 60_000);
        TestInstances.Call(instances["a"], Outcome.Success, ms: 60_000);
        Assert.InRange(Enumerable.Range(0, 1000).Count(_ => instances.Pick() == instances["a"]), 0, 350); // two rivals drawn by chance are not always the other one

        instances.Advance(6);
        Assert.InRange(instances.Count(1000)["a"], 400, 600);
    }

    /// <summary>The first answer on a new connection, or one that met a collection of garbage: no reason to keep its weight from an instance.</summary>
    [Theory]
    [InlineData(BalancingAlgorithm.LeastRequests)]
    [InlineData(BalancingAlgorithm.PowerOfTwo)]
    public void One_slow_answer_takes_no_share_away(BalancingAlgorithm algorithm)
    {
        var instances = new TestInstances(new(algorithm), configs: TestInstances.Configs(100, 100));
        TestInstances.Call(instances["a"], Outcome.Success, ms: 60);
        TestInstances.Call(instances["b"], Outcome.Success, ms: 1);
        Assert.InRange(instances.Count(1000)["a"], 400, 600);
    }

    /// <summary>p99 of the time from arrival to answer.</summary>
    /// <param name="load">Arrivals as a share of what the four good instances can do.</param>
    private static double PercentileMs(BalancingAlgorithm algorithm, double load, double slowFactor)
    {
        var random = new Random(42);
        var instances = new TestInstances(new(algorithm), configs: TestInstances.Configs(100, 100, 100, 100, 100));
        var servers = instances.Backend.View.All.ToDictionary(static i => i, i => new Server(i.Config.Id == "a" ? ServiceMs * slowFactor : ServiceMs));
        var arrivalMs = ServiceMs / (Workers * 4 * load);
        var events = new PriorityQueue<Action, double>();
        var times = new List<double>(Requests);
        var now = 0d;
        var arrived = 0;
        events.Enqueue(Arrive, 0);
        while (times.Count < Requests && events.TryDequeue(out var happens, out var at))
        {
            instances.Time.Advance(TimeSpan.FromMilliseconds(at - now));
            now = at;
            happens();
        }

        times.Sort();
        return times[(int)(times.Count * 0.99)];

        void Arrive()
        {
            if (++arrived < Requests)
            {
                events.Enqueue(Arrive, now + (arrivalMs * Exponential()));
            }

            var began = now;
            var instance = instances.Pick();
            var server = servers[instance];
            instance.Begin();
            server.Queue.Enqueue(began);
            Serve(instance, server);
        }

        void Serve(Instance instance, Server server)
        {
            if (server.Busy == Workers || !server.Queue.TryDequeue(out var began))
            {
                return;
            }

            server.Busy++;
            events.Enqueue(
                () =>
                {
                    server.Busy--;
                    instance.End(Outcome.Success, (long)((now - began) * TimeSpan.TicksPerMillisecond));
                    times.Add(now - began);
                    Serve(instance, server);
                },
                now + (server.ServiceMs * Exponential()));
        }

        double Exponential() => -Math.Log(1 - random.NextDouble());
    }

    private sealed class Server(double serviceMs)
    {
        public double ServiceMs { get; } = serviceMs;

        public Queue<double> Queue { get; } = new();

        public int Busy { get; set; }
    }
}
