using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Propagation;

/// <summary>What a run of changes costs gateways is bounded; a change that somebody makes by hand does not wait.</summary>
public sealed class StepPaceTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void A_change_now_and_then_is_gathered_for_a_moment_only()
    {
        var pace = new StepPace(_time);
        for (var change = 0; change < 50; change++)
        {
            Assert.Equal(StepPace.Short, pace.AfterStep());
            _time.Advance(TimeSpan.FromMilliseconds(500));
        }
    }

    [Fact]
    public void A_thousand_changes_at_once_are_eight_steps_a_second()
    {
        var pace = new StepPace(_time);
        var since = _time.GetTimestamp();
        var steps = 0;
        for (; _time.GetElapsedTime(since) < TimeSpan.FromSeconds(10); steps++)
        {
            _time.Advance(pace.AfterStep()); // the next one is waiting already
        }

        Assert.InRange(steps, 80, 85);
    }

    [Fact]
    public void After_a_run_the_next_change_is_as_any_other()
    {
        var pace = new StepPace(_time);
        for (var change = 0; change < StepPace.Run; change++)
        {
            pace.AfterStep();
        }

        Assert.Equal(StepPace.Long, pace.AfterStep());
        _time.Advance(StepPace.Span);
        Assert.Equal(StepPace.Short, pace.AfterStep());
    }
}
