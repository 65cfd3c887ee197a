using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>
/// One thread for what a change costs: reading it, verifying its signature, compiling it. It gives way to the threads that serve requests, which on a
/// gateway with few cores would otherwise wait some milliseconds for each change.
/// </summary>
/// <remarks>The runtime sets no priorities on Linux, where only the super user could take one back. Lowering one's own needs no right.</remarks>
internal sealed partial class BackgroundThread : TaskScheduler, IDisposable
{
    /// <summary>A tenth of the weight of a thread at 0, the default; 19 is the least (sched(7)).</summary>
    private const int Niceness = 10;

    private readonly BlockingCollection<Task> _tasks = [];
    private readonly Thread _thread;

    public BackgroundThread(string name)
    {
        _thread = new(Run) { Name = name, IsBackground = true, Priority = ThreadPriority.BelowNormal };
        _thread.Start();
    }

    public override int MaximumConcurrencyLevel => 1;

    /// <summary>Runs it there, with all that follows its awaits.</summary>
    public Task RunAsync(Func<Task> work) => Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.None, this).Unwrap();

    /// <summary>Ends the thread when it has nothing left to do.</summary>
    public void Dispose() => _tasks.CompleteAdding();

    protected override void QueueTask(Task task)
    {
        try
        {
            _tasks.Add(task);
        }
        catch (InvalidOperationException)
        {
            _ = Task.Run(() => TryExecuteTask(task)); // the end of something that was stopped meanwhile
        }
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => Thread.CurrentThread == _thread && !taskWasPreviouslyQueued && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks() => _tasks;

    private void Run()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = SetPriority(which: 0, who: 0, Niceness); // of the calling thread; refused, it stays as it was
        }

        foreach (var task in _tasks.GetConsumingEnumerable())
        {
            TryExecuteTask(task);
        }
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int priority);
}
