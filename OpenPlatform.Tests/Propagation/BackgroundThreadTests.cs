using System.Collections.Concurrent;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Tests.Propagation;

/// <summary>What a change costs gives way, and nothing else does.</summary>
public sealed class BackgroundThreadTests
{
    /// <summary>The pool starts its threads on whoever queues work, and they inherit the niceness: requests would be served by threads that give way.</summary>
    [Fact]
    public async Task What_follows_the_work_is_queued_by_a_thread_that_does_not_give_way()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Threads have a niceness on Linux.");
        using var thread = new BackgroundThread("test");
        var before = Niceness();
        var during = int.MinValue;
        var follower = new Follower();
        using var isWaiting = new ManualResetEventSlim();
        var work = thread.RunAsync(() =>
        {
            during = Niceness();
            isWaiting.Wait();
        });
        var follows = work.ContinueWith(static _ => { }, TestContext.Current.CancellationToken, TaskContinuationOptions.None, follower);
        isWaiting.Set();
        await follows;
        Assert.Equal(BackgroundThread.Niceness, during);
        Assert.Equal(before, Assert.Single(follower.QueuedBy));
    }

    [Fact]
    public async Task A_failure_is_told_and_the_thread_goes_on()
    {
        using var thread = new BackgroundThread("test");
        await Assert.ThrowsAsync<InvalidDataException>(() => thread.RunAsync(static () => throw new InvalidDataException()));
        var runs = false;
        await thread.RunAsync(() => runs = true);
        Assert.True(runs);
        thread.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => thread.RunAsync(static () => { }));
    }

    private static int Niceness()
    {
        var stat = File.ReadAllText("/proc/thread-self/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[16]);
    }

    /// <summary>Notes who queues what follows.</summary>
    private sealed class Follower : TaskScheduler
    {
        public ConcurrentQueue<int> QueuedBy { get; } = new();

        protected override void QueueTask(Task task)
        {
            QueuedBy.Enqueue(Niceness());
            TryExecuteTask(task);
        }

        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

        protected override IEnumerable<Task> GetScheduledTasks() => [];
    }
}
