using System.Collections.Concurrent;
using System.Runtime.InteropServices;
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

    /// <summary>With the usual slice it would go on for a millisecond after a thread that serves a request woke up on its processor.</summary>
    [Fact]
    public async Task Its_slice_is_the_shortest_that_Linux_takes()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64, "The number of the system call is of Linux on x86-64.");
        using var thread = new BackgroundThread("test");
        var (there, here) = (0UL, Slice());
        await thread.RunAsync(() => there = Slice());
        Assert.SkipUnless(here > 0, "Slices of their own have threads since Linux 6.12.");
        Assert.Equal(100_000UL, there);
        Assert.NotEqual(there, here);
    }

    /// <summary>Verified and applied in one go: what awaits the one comes in between on no thread that would have to be woken.</summary>
    [Fact]
    public async Task Work_that_work_asks_for_is_next()
    {
        using var thread = new BackgroundThread("test");
        var order = new ConcurrentQueue<int>();
        Task? second = null;
        var first = thread.RunAsync(() =>
        {
            second = thread.RunAsync(() => order.Enqueue(2));
            order.Enqueue(1);
        });
        var third = first.ContinueWith(_ => thread.RunAsync(() => order.Enqueue(3)), TestContext.Current.CancellationToken, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).Unwrap();
        await Task.WhenAll(first, third);
        await second!;
        Assert.Equal([1, 2, 3], order);
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

    /// <summary>sched_getattr(2): nanoseconds; 0 where Linux does not say.</summary>
    private static ulong Slice()
    {
        var attributes = new byte[56];
        return SystemCall(315, 0, attributes, attributes.Length, 0) == 0 ? BitConverter.ToUInt64(attributes, 24) : 0;
    }

    [DllImport("libc", EntryPoint = "syscall")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint SystemCall(nint number, nint thread, byte[] attributes, nint size, nint flags);

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
