using OpenPlatform.Bench.Simulate;

namespace OpenPlatform.Tests.Bench.Simulate;

/// <summary>The autoscaler against numbers that were worked out by hand from Kubernetes' documentation and source.</summary>
public sealed class AutoscalerTests
{
    private static readonly ScalingBehavior Unbounded = new(0, ChooseMost: true, [new(true, 1000, 15)]), DownAtOnce = new(0, ChooseMost: true, [new(true, 100, 15)]);

    private static readonly ScalingSettings ByCpu = new(1, 100, Cores: 1, CpuPercent: 50, InFlight: null, RequestsPerSecond: null, Unbounded, DownAtOnce);

    [Theory]
    [InlineData(4, 1.00, 8)]   // twice the target: twice as many
    [InlineData(4, 0.55, 4)]   // a tenth above: tolerated
    [InlineData(4, 0.56, 5)]   // 4 × 1.12 = 4.48
    [InlineData(4, 0.45, 4)]   // a tenth below: tolerated
    [InlineData(4, 0.30, 3)]   // 4 × 0.6 = 2.4
    [InlineData(10, 0.01, 1)]  // never below the lower bound
    [InlineData(60, 1.00, 100)] // never above the upper one
    public void Replicas_follow_the_ratio_of_metric_and_target_rounded_up(int current, double cpu, int expected) =>
        Assert.Equal(expected, new Autoscaler(ByCpu).Next(0, current, Ready(current, cpu), 0));

    [Fact]
    public void The_metric_that_asks_for_most_counts()
    {
        var both = ByCpu with { InFlight = 100 };
        Assert.Equal(6, new Autoscaler(both).Next(0, 3, Ready(3, cpu: 0.5, inFlight: 200), 0));
        Assert.Equal(6, new Autoscaler(both).Next(0, 3, Ready(3, cpu: 1.0, inFlight: 10), 0));
    }

    [Fact]
    public void Replicas_that_start_count_as_idle_on_the_way_up()
    {
        // Two at 100 % ask for four. With two more that start, (1 + 1 + 0 + 0) ÷ 4 is the target: no more are added.
        Reading[] readings = [.. Ready(2, 1), new(IsCounted: false, IsPending: false, 1, null), new(IsCounted: false, IsPending: true, null, null)];
        Assert.Equal(4, new Autoscaler(ByCpu).Next(0, 4, readings, 0));

        // With one more only, (1 + 1 + 0) ÷ 3 is 1.33 of the target: 1.33 × 3.
        Assert.Equal(4, new Autoscaler(ByCpu).Next(0, 3, readings[..3], 0));
    }

    [Fact]
    public void Replicas_that_are_silent_count_as_idle_on_the_way_up_and_as_busy_on_the_way_down()
    {
        var silent = new Reading(IsCounted: true, IsPending: false, null, null);

        // Two of three at 70 % of a core are 1.4 of the target, with the third idle 0.93: tolerated. What died is not made up for until it is given up.
        Assert.Equal(3, new Autoscaler(ByCpu).Next(0, 3, [.. Ready(2, 0.7), silent], 0));

        // Three of four at 10 %, the fourth taken as 100 % of its core: (0.3 + 1) ÷ 4 is 0.65 of the target, 0.65 × 4.
        Assert.Equal(3, new Autoscaler(ByCpu).Next(0, 4, [.. Ready(3, 0.1), silent], 0));

        // Nobody says anything: nothing is done.
        Assert.Equal(2, new Autoscaler(ByCpu).Next(0, 2, [silent, silent], 0));
    }

    [Fact]
    public void A_metric_that_is_missing_lets_the_number_grow_and_never_shrink()
    {
        var both = ByCpu with { InFlight = 100 };
        Assert.Equal(4, new Autoscaler(both).Next(0, 2, Ready(2, cpu: 1), 0));
        Assert.Equal(4, new Autoscaler(both).Next(0, 4, Ready(4, cpu: 0.1), 0));
    }

    [Fact]
    public void A_metric_of_the_whole_service_is_divided_by_the_target()
    {
        var byRate = ByCpu with { CpuPercent = null, RequestsPerSecond = 200 };
        Assert.Equal(5, new Autoscaler(byRate).Next(0, 3, [], 1000));
        Assert.Equal(5, new Autoscaler(byRate).Next(0, 5, [], 1090)); // 1.09: tolerated
        Assert.Equal(6, new Autoscaler(byRate).Next(0, 5, [], 1110));
    }

    [Fact]
    public void Down_goes_the_highest_recommendation_of_the_window()
    {
        var scaler = new Autoscaler(ByCpu with { Down = DownAtOnce with { WindowSeconds = 300 } });
        Assert.Equal(8, scaler.Next(0, 4, Ready(4, 1), 0));
        for (var now = 15; now <= 285; now += 15)
        {
            Assert.Equal(8, scaler.Next(now, 8, Ready(8, 0.1), 0));
        }

        Assert.Equal(2, scaler.Next(300, 8, Ready(8, 0.1), 0)); // 8 × 0.2 = 1.6
    }

    [Fact]
    public void Up_goes_the_lowest_recommendation_of_the_window()
    {
        var scaler = new Autoscaler(ByCpu with { Up = Unbounded with { WindowSeconds = 60 } });
        Assert.Equal(4, scaler.Next(0, 4, Ready(4, 0.5), 0));
        Assert.Equal(4, scaler.Next(15, 4, Ready(4, 1), 0));
        Assert.Equal(4, scaler.Next(45, 4, Ready(4, 1), 0));
        Assert.Equal(8, scaler.Next(60, 4, Ready(4, 1), 0));
    }

    [Fact]
    public void Policies_limit_a_period_and_the_one_that_is_chosen_counts()
    {
        var doubleOrFour = new ScalingBehavior(0, ChooseMost: true, [new(true, 100, 15), new(false, 4, 15)]);
        var up = new Autoscaler(ByCpu with { Up = doubleOrFour });
        Assert.Equal(7, up.Next(0, 3, Ready(3, 50), 0));    // four more are more than double
        Assert.Equal(7, up.Next(10, 7, Ready(7, 50), 0));   // the same period
        Assert.Equal(14, up.Next(15, 7, Ready(7, 50), 0));  // the next: double
        var least = new Autoscaler(ByCpu with { Up = doubleOrFour with { ChooseMost = false } });
        Assert.Equal(6, least.Next(0, 3, Ready(3, 50), 0));

        var oneAMinute = new Autoscaler(ByCpu with { Down = new(0, ChooseMost: false, [new(true, 10, 60), new(false, 1, 60)]) });
        Assert.Equal(29, oneAMinute.Next(0, 30, Ready(30, 0.01), 0)); // one, not three
        Assert.Equal(29, oneAMinute.Next(45, 29, Ready(29, 0.01), 0));
        Assert.Equal(28, oneAMinute.Next(60, 29, Ready(29, 0.01), 0));
    }

    private static Reading[] Ready(int count, double? cpu, double? inFlight = null) => [.. Enumerable.Repeat(new Reading(IsCounted: true, IsPending: false, cpu, inFlight), count)];
}
