using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>
/// One thread for what a change costs. It gives way to the threads that serve requests, which on a gateway with few cores would otherwise wait some
/// milliseconds for each change. Work that waits for others (the network, timers) has no place there: see the second remark.
/// </summary>
/// <remarks>
/// <para>The runtime sets no priorities on Linux, where only the super user could take one back. Lowering one's own needs no right.</para>
/// <para>A thread inherits the niceness of the one that starts it, and the pool starts its threads on whichever thread queues work. So nothing is queued from
/// there: what follows the work is queued by a second thread, which is as any other.</para>
/// </remarks>
internal sealed partial class BackgroundThread : IDisposable
{
    /// <summary>A tenth of the weight of a thread at 0, the default; 19 is the least (sched(7)).</summary>
    public const int Niceness = 10;

    private readonly BlockingCollection<(Action Work, TaskCompletionSource Done)> _work = [];
    private readonly BlockingCollection<(TaskCompletionSource Done, Exception? Failure)> _done = [];

    public BackgroundThread(string name)
    {
        new Thread(Work) { Name = name, IsBackground = true, Priority = ThreadPriority.BelowNormal }.Start();
        new Thread(Report) { Name = name + ", done", IsBackground = true }.Start();
    }

    /// <summary>Runs it there, after what was asked for before.</summary>
    /// <exception cref="ObjectDisposedException">The thread has ended.</exception>
    public Task RunAsync(Action work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            _work.Add((work, done));
        }
        catch (InvalidOperationException e)
        {
            throw new ObjectDisposedException("The thread has ended.", e);
        }

        return done.Task;
    }

    /// <summary>Ends the thread when it has nothing left to do.</summary>
    public void Dispose() => _work.CompleteAdding();

    private void Work()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = SetPriority(which: 0, who: 0, Niceness); // of the calling thread; refused, it stays as it was
        }

        foreach (var (work, done) in _work.GetConsumingEnumerable())
        {
            Exception? failure = null;
            try
            {
                work();
            }
            catch (Exception e)
            {
                failure = e;
            }

            _done.Add((done, failure));
        }

        _done.CompleteAdding();
    }

    private void Report()
    {
        foreach (var (done, failure) in _done.GetConsumingEnumerable())
        {
            if (failure is null)
            {
                done.SetResult();
            }
            else
            {
                done.SetException(failure);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int priority);
}
