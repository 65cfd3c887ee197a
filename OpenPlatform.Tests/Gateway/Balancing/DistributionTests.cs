using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Balancing;
using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Tests.Gateway.Balancing;

/// <summary>Every policy follows the weights, also while an instance grows into its own; on a clock that stands.</summary>
public sealed class DistributionTests
{
    private const int Picks = 100_000;

    public static TheoryData<BalancingAlgorithm> All => [.. Enum.GetValues<BalancingAlgorithm>()];

    [Theory]
    [MemberData(nameof(All))]
    public void A_hundred_thousand_picks_follow_the_weights(BalancingAlgorithm algorithm)
    {
        int[] weights = [100, 100, 50, 300, 25];
        var instances = new TestInstances(new(algorithm), configs: TestInstances.Configs(weights));
        AssertInProportion([.. weights.Select(static w => (double)w)], [.. instances.Count(Picks).OrderBy(static c => c.Key).Select(static c => c.Value)]);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Equal_weights_are_equal_shares(BalancingAlgorithm algorithm)
    {
        var instances = new TestInstances(new(algorithm), configs: TestInstances.Configs(100, 100, 100, 100, 100, 100, 100));
        AssertInProportion([1, 1, 1, 1, 1, 1, 1], [.. instances.Count(Picks).Values]);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Who_joins_grows_from_a_tenth_to_its_full_share(BalancingAlgorithm algorithm)
    {
        var instances = new TestInstances(new(algorithm, RampSeconds: 10), configs: TestInstances.Configs(100, 100));
        instances.Backend.Apply(InstanceSource.Lease, TestInstances.Configs(100, 100, 100));
        instances.Call(hash: 1); // whoever is picked first
        TestInstances.Call(instances["c"], Outcome.Success); // its latency is known from now on
        AssertInProportion([100, 100, 10], [.. instances.Count(Picks).Values]);

        instances.Advance(seconds: 5);
        AssertInProportion([100, 100, 50], [.. instances.Count(Picks).Values]);

        instances.Advance(seconds: 5);
        AssertInProportion([100, 100, 100], [.. instances.Count(Picks).Values]);
        Assert.Equal([InstanceStateName.Ready], instances.Backend.Describe().Select(static i => i.State).Distinct());
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Nobody_is_asked_twice_for_one_request_and_nobody_is_left_out(BalancingAlgorithm algorithm)
    {
        var instances = new TestInstances(new(algorithm), configs: TestInstances.Configs(1000, 100, 1));
        for (var i = 0; i < 200; i++)
        {
            var first = instances.Pick((ulong)i);
            var second = instances.Pick((ulong)i, first);
            var third = instances.Pick((ulong)i, first, second);
            Assert.Equal(3, new[] { first, second, third }.Distinct().Count());
            Assert.Null(instances.Pick((ulong)i, first, second, third));
        }
    }

    [Fact]
    public void Smooth_round_robin_never_bunches()
    {
        var instances = new TestInstances(new(BalancingAlgorithm.SmoothRoundRobin), configs: TestInstances.Configs(500, 100, 100));
        var turns = string.Concat(Enumerable.Range(0, 70).Select(_ => instances.Call().Config.Id));
        Assert.Contains("aabacaa", turns, StringComparison.Ordinal);
        Assert.DoesNotContain("aaaaa", turns, StringComparison.Ordinal);
    }

    [Fact]
    public void Round_robin_goes_round()
    {
        var instances = new TestInstances(new(BalancingAlgorithm.RoundRobin), configs: TestInstances.Configs(100, 100, 100));
        var turns = string.Concat(Enumerable.Range(0, 30).Select(_ => instances.Call().Config.Id));
        Assert.Contains(turns[..3], (string[])["abc", "bca", "cab"]);
        Assert.Equal(string.Concat(Enumerable.Repeat(turns[..3], 10)), turns);
    }

    [Theory]
    [InlineData(BalancingAlgorithm.PowerOfTwo)]
    [InlineData(BalancingAlgorithm.LeastRequests)]
    public void The_busy_are_spared_in_proportion_to_their_weights(BalancingAlgorithm algorithm)
    {
        var instances = new TestInstances(new(algorithm), configs: TestInstances.Configs(100, 300));
        for (var i = 0; i < 400; i++)
        {
            instances.Pick().Begin(); // nothing ever ends
        }

        Assert.InRange(instances["a"].InFlight, 98, 102);
        Assert.InRange(instances["b"].InFlight, 298, 302);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_pick_allocates_nothing(BalancingAlgorithm algorithm)
    {
        var instances = new TestInstances(new(algorithm), zone: "here", configs:
            [TestInstances.Config("a", zone: "here"), TestInstances.Config("b", zone: "here"), TestInstances.Config("c", 50), TestInstances.Config("d")]);
        var least = long.MaxValue;
        for (var attempt = 0; attempt < 5 && least > 0; attempt++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
            {
                var instance = instances.Backend.Pick(new PickContext(KeyHash64.Mix((ulong)i), true), [])!;
                instance.Begin();
                instance.End(Outcome.Success, i);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    /// <summary>Pearson's χ² test. The limit is passed by chance once in ten million runs; a share that is wrong by a hundredth passes it by far.</summary>
    private static void AssertInProportion(double[] weights, int[] counts)
    {
        var total = counts.Sum();
        var chiSquare = weights.Zip(counts, (weight, count) =>
        {
            var expected = weight / weights.Sum() * total;
            return (count - expected) * (count - expected) / expected;
        }).Sum();

        // Wilson and Hilferty's approximation of the quantile, 5.2 standard deviations out.
        var freedom = weights.Length - 1d;
        var limit = freedom * Math.Pow(1 - (2 / (9 * freedom)) + (5.2 * Math.Sqrt(2 / (9 * freedom))), 3);
        Assert.True(chiSquare < limit, $"χ² {chiSquare:F1} is over {limit:F1}: {string.Join(", ", counts)} for {string.Join(", ", weights)}");
    }
}
