using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Tests.Gateway.Balancing;

/// <summary>Who is asked first: the own zone, the better priority.</summary>
public sealed class ZoneTests
{
    public static TheoryData<BalancingAlgorithm> All => [.. Enum.GetValues<BalancingAlgorithm>()];

    private static InstanceConfig[] TwoZones =>
    [
        TestInstances.Config("near1", zone: "here"), TestInstances.Config("near2", zone: "here"),
        TestInstances.Config("far1", zone: "there"), TestInstances.Config("far2", zone: "there"),
    ];

    [Theory]
    [MemberData(nameof(All))]
    public void Requests_stay_in_their_zone_while_it_is_not_busy(BalancingAlgorithm algorithm)
    {
        var instances = new TestInstances(new(algorithm), zone: "here", configs: TwoZones);
        var counts = instances.Count(1_000);
        Assert.Equal(0, counts["far1"] + counts["far2"]);
        Assert.All(["near1", "near2"], id => Assert.InRange(counts[id], 300, 700));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void They_spill_over_when_it_is_busy_and_still_prefer_it(BalancingAlgorithm algorithm)
    {
        var instances = new TestInstances(new(algorithm), zone: "here", configs: TwoZones);
        for (var i = 0; i < 300; i++)
        {
            instances.Pick((ulong)i * 0x9E3779B97F4A7C15).Begin(); // nothing ever ends
        }

        var near = instances["near1"].InFlight + instances["near2"].InFlight;
        Assert.InRange(near, 155, 235); // two thirds by the rule; consistent hash bounds it more tightly
    }

    [Fact]
    public void A_zone_without_a_healthy_instance_is_no_preference()
    {
        var instances = new TestInstances(zone: "here", configs: TwoZones);
        TestInstances.Call(instances["near1"], Outcome.ConnectError);
        TestInstances.Call(instances["near2"], Outcome.ConnectError);
        var counts = instances.Count(1_000);
        Assert.Equal(1_000, counts["far1"] + counts["far2"]);
    }

    [Fact]
    public void Zones_can_be_switched_off()
    {
        var counts = new TestInstances(new(PreferZone: false), zone: "here", configs: TwoZones).Count(1_000);
        Assert.All(counts.Values, count => Assert.InRange(count, 150, 350));
    }

    [Fact]
    public void A_worse_priority_serves_only_when_fewer_than_half_of_the_better_are_healthy()
    {
        var instances = new TestInstances(configs:
        [
            TestInstances.Config("first1"), TestInstances.Config("first2"), TestInstances.Config("first3"),
            TestInstances.Config("backup1", priority: 1), TestInstances.Config("backup2", priority: 1),
        ]);
        TestInstances.Call(instances["first1"], Outcome.ConnectError);
        var counts = instances.Count(1_000);
        Assert.Equal(0, counts["backup1"] + counts["backup2"]);

        TestInstances.Call(instances["first2"], Outcome.ConnectError);
        counts = instances.Count(1_000);
        Assert.InRange(counts["backup1"] + counts["backup2"], 500, 800); // together with the one that is left
        Assert.InRange(counts["first3"], 200, 500);
    }
}
