using OpenPlatform.Gateway.Resilience;

namespace OpenPlatform.Tests.Gateway.Resilience;

/// <summary>The clock of one try, and the timer that gets to its work late.</summary>
public sealed class DeadlineTests
{
    [Fact]
    public void A_timer_that_fired_when_the_head_came_does_not_break_the_answer_off()
    {
        var deadline = Deadline.Start(firstByte: 60_000, endsAt: long.MaxValue, evenUnlimited: false)!;
        Assert.True(deadline.TryAnswer());
        deadline.Fire(); // had to wait for a thread
        Assert.False(deadline.IsCancellationRequested);
        Assert.False(deadline.IsLate);
        deadline.Return();
    }

    [Fact]
    public async Task A_head_that_comes_when_the_time_is_over_is_not_accepted()
    {
        var deadline = Deadline.Start(firstByte: 1, endsAt: long.MaxValue, evenUnlimited: false)!;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.Delay(TimeSpan.FromSeconds(20), deadline.Token));
        Assert.False(deadline.TryAnswer());
        Assert.True(deadline.IsLate);
        deadline.Return();
    }

    [Fact]
    public void A_timer_of_the_try_before_leaves_the_next_one_alone()
    {
        var deadline = Deadline.Start(firstByte: 60_000, endsAt: long.MaxValue, evenUnlimited: false)!;
        deadline.Return();
        deadline.Fire();
        deadline.Await(60_000); // whoever takes it from the pool
        deadline.Fire();
        Assert.False(deadline.IsCancellationRequested);
        Assert.True(deadline.TryAnswer());
    }

    [Fact]
    public async Task After_the_head_the_end_of_the_whole_still_counts_and_so_does_a_shorter_wait_of_the_next_try()
    {
        var deadline = Deadline.Start(firstByte: 60_000, endsAt: Environment.TickCount64 + 50, evenUnlimited: false)!;
        Assert.InRange(deadline.FirstByte, 0, 50);
        Assert.True(deadline.TryAnswer());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.Delay(TimeSpan.FromSeconds(20), deadline.Token));

        var next = Deadline.Start(firstByte: 60_000, endsAt: long.MaxValue, evenUnlimited: true)!;
        next.Await(50); // its timer is set for later
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.Delay(TimeSpan.FromSeconds(20), next.Token));
        Assert.True(next.IsLate);
    }
}
