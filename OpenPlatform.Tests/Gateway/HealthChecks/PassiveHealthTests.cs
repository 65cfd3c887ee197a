using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.HealthChecks;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Tests.Gateway.Balancing;

namespace OpenPlatform.Tests.Gateway.HealthChecks;

/// <summary>What failed requests do to an instance, on a clock that the test moves; nobody probes here.</summary>
public sealed class PassiveHealthTests
{
    private static readonly BalancingPolicy NoRamp = new(RampSeconds: 0);

    [Fact]
    public void A_connect_error_ejects_at_once_and_twice_as_long_each_time()
    {
        var instances = new TestInstances(NoRamp, configs: TestInstances.Configs(100, 100));
        var bad = instances["b"];
        TestInstances.Call(bad, Outcome.ConnectError);
        foreach (var seconds in (double[])[0.25, 0.5, 1, 2, 4, 8, 8])
        {
            instances.Advance(seconds - 0.01);
            Assert.Equal(0, instances.Count(100)["b"]);
            instances.Advance(0.01);
            Assert.Same(bad, instances.Pick()); // one request may try
            Assert.Equal(0, instances.Count(100)["b"]); // and no other, until it is known what became of it
            TestInstances.Call(bad, Outcome.ConnectError);
        }

        instances.Advance(8);
        Assert.Same(bad, instances.Pick());
        TestInstances.Call(bad, Outcome.Success);
        Assert.InRange(instances.Count(100)["b"], 20, 80);

        // Well for a while: the next ejection is a first one again.
        instances.Advance(11);
        TestInstances.Call(bad, Outcome.ConnectError);
        instances.Advance(0.25);
        Assert.Same(bad, instances.Pick());
    }

    [Fact]
    public void Failures_in_a_row_eject_and_a_success_between_them_does_not()
    {
        var instances = new TestInstances(NoRamp, configs: TestInstances.Configs(100, 100, 100));
        var bad = instances["b"];
        Outcome[] four = [Outcome.Timeout, Outcome.Broken, Outcome.Timeout, Outcome.Timeout];
        foreach (var outcome in four.Append(Outcome.Success).Concat(four))
        {
            TestInstances.Call(bad, outcome);
        }

        Assert.False(bad.IsEjected);
        TestInstances.Call(bad, Outcome.Timeout);
        Assert.Equal(EjectionReason.FailuresInARow, bad.Health.OutBecause);
    }

    [Fact]
    public void A_rate_of_5xx_ejects_once_there_are_enough_requests()
    {
        var instances = new TestInstances(NoRamp, configs: TestInstances.Configs(100, 100, 100));
        var bad = instances["b"];
        for (var i = 0; i < 19; i++)
        {
            TestInstances.Call(bad, i % 2 == 0 ? Outcome.ServerError : Outcome.Success);
        }

        Assert.False(bad.IsEjected);
        TestInstances.Call(bad, Outcome.Success);
        TestInstances.Call(bad, Outcome.ServerError);
        Assert.Equal(EjectionReason.FailureRate, bad.Health.OutBecause);
    }

    [Fact]
    public void Old_failures_are_forgotten()
    {
        var instances = new TestInstances(NoRamp, configs: TestInstances.Configs(100, 100, 100));
        var once = instances["b"];
        for (var i = 0; i < 15; i++)
        {
            TestInstances.Call(once, Outcome.ServerError);
        }

        instances.Advance(6);
        instances.Advance(6);
        instances.Advance(6);
        for (var i = 0; i < 25; i++)
        {
            TestInstances.Call(once, i % 3 == 0 ? Outcome.ServerError : Outcome.Success); // with the 15 it would be more than half
        }

        Assert.False(once.IsEjected);
    }

    [Fact]
    public void Where_all_fail_alike_nobody_is_ejected()
    {
        var instances = new TestInstances(NoRamp, configs: TestInstances.Configs(100, 100, 100, 100));
        for (var i = 0; i < 1_000; i++)
        {
            TestInstances.Call(instances.Backend.Ready[i % 4], i % 3 == 0 ? Outcome.Timeout : Outcome.ServerError);
        }

        Assert.Equal(0, instances.Backend.Ready.Count(static i => i.IsEjected));
    }

    [Fact]
    public void Failing_answers_never_take_out_more_than_their_share_and_connect_errors_do()
    {
        var instances = new TestInstances(NoRamp, new HealthPolicy(MaxEjectedPercent: 40), configs: TestInstances.Configs(100, 100, 100, 100, 100));
        foreach (var bad in (string[])["a", "b", "c"])
        {
            for (var i = 0; i < 20; i++)
            {
                TestInstances.Call(instances[bad], Outcome.Timeout);
                TestInstances.Call(instances["d"], Outcome.Success);
                TestInstances.Call(instances["e"], Outcome.Success);
            }
        }

        Assert.Equal(2, instances.Backend.Ready.Count(static i => i.IsEjected));
        TestInstances.Call(instances["c"], Outcome.ConnectError);
        TestInstances.Call(instances["d"], Outcome.ConnectError);
        Assert.Equal(4, instances.Backend.Ready.Count(static i => i.IsEjected));
    }

    [Fact]
    public void In_a_panic_all_that_can_be_reached_serve_and_the_dead_do_not()
    {
        var instances = new TestInstances(NoRamp, new HealthPolicy(MaxEjectedPercent: 100, PanicPercent: 50), configs: TestInstances.Configs(100, 100, 100, 100));
        TestInstances.Call(instances["a"], Outcome.ConnectError);
        Eject(instances, "b");
        Assert.False(instances.Backend.View.IsPanic);
        Assert.Equal(0, instances.Count(1_000)["b"]);

        Eject(instances, "c");
        Assert.True(instances.Backend.View.IsPanic);
        var pick = Enumerable.Range(0, 1_000).Select(_ => instances.Pick().Config.Id).ToHashSet();
        Assert.Equal(["b", "c", "d"], pick.Order());

        TestInstances.Call(instances["b"], Outcome.Success); // it can be asked after all
        Assert.False(instances["b"].IsEjected);
    }

    [Fact]
    public void When_all_are_dead_one_is_tried_all_the_same()
    {
        var instances = new TestInstances(NoRamp, configs: TestInstances.Configs(100));
        TestInstances.Call(instances["a"], Outcome.ConnectError);
        Assert.Same(instances["a"], instances.Pick());
        Assert.Null(instances.Pick(0, instances["a"]));
        TestInstances.Call(instances["a"], Outcome.Success);
        Assert.False(instances["a"].IsEjected);
        Assert.Null(new TestInstances().Pick());
    }

    [Fact]
    public void What_began_before_the_ejection_does_not_end_it()
    {
        var instances = new TestInstances(NoRamp, configs: TestInstances.Configs(100, 100));
        instances["b"].Begin();
        TestInstances.Call(instances["b"], Outcome.ConnectError);
        instances["b"].End(Outcome.Success, 1);
        Assert.True(instances["b"].IsEjected);
    }

    [Fact]
    public void A_request_that_cannot_be_repeated_tries_a_failing_instance_only_when_no_other_came()
    {
        var instances = new TestInstances(NoRamp, configs: TestInstances.Configs(100, 100, 100));
        Eject(instances, "b");
        instances.Advance(1);
        Assert.All(Enumerable.Range(0, 100), _ => Assert.NotSame(instances["b"], instances.Backend.Pick(new(0, MayRepeat: false), [])));
        instances.Advance(2);
        Assert.Same(instances["b"], instances.Backend.Pick(new(0, MayRepeat: false), []));
    }

    [Fact]
    public void A_trial_whose_client_left_is_given_to_the_next_request_and_one_that_goes_on_has_passed()
    {
        var instances = new TestInstances(NoRamp, configs: TestInstances.Configs(100, 100));
        TestInstances.Call(instances["b"], Outcome.ConnectError);
        instances.Advance(0.25);
        var trial = instances.Pick();
        trial.Begin();
        trial.End(Outcome.Cancelled, 1);
        Assert.Same(instances["b"], instances.Pick());

        instances.Advance(0.1); // a stream: connected, and not ended
        instances.Advance(5);
        Assert.False(instances["b"].IsEjected);
    }

    [Fact]
    public void A_second_try_goes_to_one_that_refused_connections_but_never_to_a_frozen_one()
    {
        var instances = new TestInstances(NoRamp, configs: TestInstances.Configs(100, 100, 100));
        TestInstances.Call(instances["b"], Outcome.ConnectError);
        instances.Backend.Probed(instances["c"], ProbeResult.Silent);
        Assert.False(instances["c"].IsEjected); // once may be chance
        var watched = instances["c"].Silenced;
        instances.Backend.Probed(instances["c"], ProbeResult.Silent);
        Assert.Equal(EjectionReason.Silent, instances["c"].Health.OutBecause);
        Assert.True(watched.IsCancellationRequested);

        Assert.Same(instances["a"], instances.Pick());
        Assert.Same(instances["b"], instances.Pick(0, instances["a"]));
        Assert.Null(instances.Pick(0, instances["a"], instances["b"]));
    }

    [Fact]
    public void Who_waits_for_a_probe_that_is_switched_off_waits_no_longer()
    {
        var instances = new TestInstances(NoRamp, new(new ActiveHealth("/health")), configs: TestInstances.Configs(100));
        instances.Backend.Apply(InstanceSource.Lease, TestInstances.Configs(100, 100));
        Assert.Equal(0, instances.Count(100)["b"]);
        instances.Backend.Model = instances.Backend.Model with { Health = null };
        instances.Advance(0.1);
        Assert.InRange(instances.Count(100)["b"], 20, 80);
    }

    [Fact]
    public void Who_comes_back_ramps()
    {
        var instances = new TestInstances(new(RampSeconds: 10), configs: TestInstances.Configs(100, 100));
        TestInstances.Call(instances["b"], Outcome.ConnectError);
        instances.Advance(0.25);
        TestInstances.Call(instances.Pick(), Outcome.Success);
        Assert.InRange(instances.Count(10_000)["b"], 600, 1_300); // a tenth of the weight: 1 of 11
        Assert.Equal(InstanceStateName.Ramping, instances.Backend.Describe().Single(static i => i.Id == "b").State);
        instances.Advance(10);
        Assert.InRange(instances.Count(10_000)["b"], 4_500, 5_500);
    }

    private static void Eject(TestInstances instances, string id)
    {
        for (var i = 0; i < 5; i++)
        {
            TestInstances.Call(instances[id], Outcome.Timeout);
        }

        Assert.True(instances[id].IsEjected);
    }
}
