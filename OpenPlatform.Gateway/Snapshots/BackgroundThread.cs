using System.Diagnostics;
using System.Runtime.InteropServices;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>
/// One thread for what a change costs. It gives way to the threads that serve requests, which on a gateway with few cores would otherwise wait some
/// milliseconds for each change. Work that waits for others (the network, timers) has no place there: see the second remark.
/// </summary>
/// <remarks>
/// <para>The runtime sets no priorities on Linux, where only the super user could take one back. Lowering one's own needs no right.</para>
/// <para>A thread inherits the niceness of the one that starts it, and the pool starts its threads on whichever thread queues work. So nothing is queued from
/// there: what follows the work is begun by a second thread, which is as any other.</para>
/// <para>A lower weight alone does not make it give way: Linux lets whoever runs go on for a slice (sched(7), 1.4 ms with two processors), whoever wakes up
/// meanwhile. So its slice is the shortest there is, and work that takes longer calls <see cref="GiveWay"/> now and then. The class SCHED_IDLE would give way at
/// once, and then for as long as the processors have anything else to do: a revocation would wait for that, too.</para>
/// </remarks>
internal sealed partial class BackgroundThread : IDisposable
{
    /// <summary>A tenth of the weight of a thread at 0, the default; 19 is the least (sched(7)).</summary>
    public const int Niceness = 10;

    /// <summary>Nanoseconds: the shortest that Linux takes, since 6.12; before, there is one for all.</summary>
    private const ulong Slice = 100_000;

    private static readonly long s_turn = Stopwatch.Frequency / 20_000; // 50 µs

    /// <summary>Since when this thread has not given way; 0: it need not.</summary>
    [ThreadStatic]
    private static long t_since;

    private readonly Inbox<(Action Work, TaskCompletionSource Done)> _work = new();
    private readonly Inbox<(TaskCompletionSource Done, Exception? Failure)> _done = new();

    public BackgroundThread(string name)
    {
        new Thread(Work) { Name = name, IsBackground = true, Priority = ThreadPriority.BelowNormal }.Start();
        new Thread(Report) { Name = name + ", done", IsBackground = true }.Start();
    }

    /// <summary>Lets others run who wait for this processor, if this is such a thread and has run for some 50 µs. Costs next to nothing.</summary>
    public static void GiveWay()
    {
        if (t_since != 0 && Stopwatch.GetTimestamp() - t_since > s_turn)
        {
            Thread.Yield();
            t_since = Stopwatch.GetTimestamp();
        }
    }

    /// <summary>Runs it there, after what was asked for before. What awaits it goes on on the second thread, which must not be held up.</summary>
    /// <exception cref="ObjectDisposedException">The thread has ended.</exception>
    public Task RunAsync(Action work)
    {
        var done = new TaskCompletionSource(); // one thread fewer to wake than with continuations that the pool runs
        ObjectDisposedException.ThrowIf(!_work.TryAdd((work, done)), this);
        return done.Task;
    }

    /// <summary>Ends the thread when it has nothing left to do.</summary>
    public void Dispose() => _work.Complete();

    private void Work()
    {
        if (OperatingSystem.IsLinux())
        {
            Lower();
        }

        while (_work.TryTake(out var item))
        {
            Exception? failure = null;
            t_since = Stopwatch.GetTimestamp();
            try
            {
                item.Work();
            }
            catch (Exception e)
            {
                failure = e;
            }

            _done.TryAdd((item.Done, failure));
        }

        _done.Complete();
    }

    private void Report()
    {
        while (_done.TryTake(out var item))
        {
            if (item.Failure is null)
            {
                item.Done.SetResult();
            }
            else
            {
                item.Done.SetException(item.Failure);
            }
        }
    }

    /// <summary>Of the calling thread; refused, it stays as it was.</summary>
    private static void Lower()
    {
        var call = RuntimeInformation.ProcessArchitecture switch { Architecture.X64 => 314, Architecture.Arm64 => 274, _ => -1 };
        var attributes = new Attributes { Size = (uint)Marshal.SizeOf<Attributes>(), Nice = Niceness, Runtime = Slice };
        if (call < 0 || SystemCall(call, 0, ref attributes, 0) != 0)
        {
            _ = SetPriority(which: 0, who: 0, Niceness);
        }
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int priority);

    /// <summary>sched_setattr(2), which libc has only of late.</summary>
    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCall(nint number, nint thread, ref Attributes attributes, nint flags);

    [StructLayout(LayoutKind.Sequential)]
    private struct Attributes
    {
        public uint Size;
        public uint Policy; // 0: SCHED_OTHER
        public ulong Flags;
        public int Nice;
        public uint Priority;
        public ulong Runtime;
        public ulong Deadline;
        public ulong Period;
    }

    /// <summary>Not a BlockingCollection: that looks for more for a while before it sleeps, on a processor that others may wait for.</summary>
    private sealed class Inbox<T>
    {
        private readonly Queue<T> _items = new();
        private bool _isComplete;

        /// <summary>False: it takes no more.</summary>
        public bool TryAdd(T item)
        {
            lock (_items)
            {
                if (!_isComplete)
                {
                    _items.Enqueue(item);
                    Monitor.Pulse(_items);
                }

                return !_isComplete;
            }
        }

        /// <summary>Sleeps until there is one; false: there is none and will be none.</summary>
        public bool TryTake(out T item)
        {
            lock (_items)
            {
                while (_items.Count == 0 && !_isComplete)
                {
                    Monitor.Wait(_items);
                }

                return _items.TryDequeue(out item!);
            }
        }

        public void Complete()
        {
            lock (_items)
            {
                _isComplete = true;
                Monitor.PulseAll(_items);
            }
        }
    }
}
