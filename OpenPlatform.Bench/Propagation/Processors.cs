using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;

namespace OpenPlatform.Bench.Propagation;

/// <summary>Which processors a process may run on, all its threads, and when. Can be taken back.</summary>
internal static unsafe partial class Processors
{
    /// <summary>Words of a mask: 1,024 processors, as glibc has them.</summary>
    private const int Words = 1024 / 64;

    private static readonly ulong[] s_all = All();

    /// <summary>One half of those that this program may use, and the other; null when there is but one.</summary>
    public static (ulong[] Here, ulong[] Elsewhere)? Halves()
    {
        int[] all = [.. Enumerable.Range(0, Words * 64).Where(static i => (s_all[i / 64] >> (i % 64) & 1) != 0)];
        return all.Length < 2 ? null : (Mask(all[..(all.Length / 2)]), Mask(all[(all.Length / 2)..]));
    }

    /// <summary>Needs no right.</summary>
    /// <param name="mask">Null: all that this program may use.</param>
    public static void Give(IEnumerable<int> processes, ulong[]? mask = null)
    {
        foreach (var thread in Threads(processes))
        {
            fixed (ulong* words = mask ?? s_all)
            {
                _ = SetAffinity(thread, Words * sizeof(ulong), words); // the thread has ended: so be it
            }
        }
    }

    /// <summary>All threads of these processes get a processor as soon as they want one, whoever has it (SCHED_FIFO, sched(7)), or are as all others again. Needs a right
    /// (CAP_SYS_NICE).</summary>
    /// <returns>False: refused, they are as they were.</returns>
    public static bool GoFirst(IEnumerable<int> processes, bool isFirst)
    {
        const int Other = 0, Fifo = 1, NoSuchThread = 3;
        var priority = isFirst ? 1 : 0;
        var isGiven = true;
        foreach (var thread in Threads(processes))
        {
            isGiven &= SetScheduler(thread, isFirst ? Fifo : Other, &priority) == 0 || Marshal.GetLastPInvokeError() == NoSuchThread;
        }

        return isGiven;
    }

    public static int CountOf(ulong[] mask) => mask.Sum(static word => BitOperations.PopCount(word));

    /// <summary>Twice: a thread that one begins meanwhile has what that one had.</summary>
    private static IEnumerable<int> Threads(IEnumerable<int> processes) => processes.SelectMany(static process => (int[])[process, process])
        .SelectMany(static process => Directory.EnumerateDirectories($"/proc/{process}/task").Select(static path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture)));

    private static ulong[] All()
    {
        var mask = new ulong[Words];
        fixed (ulong* words = mask)
        {
            return GetAffinity(0, Words * sizeof(ulong), words) == 0 ? mask : throw new InvalidOperationException($"sched_getaffinity: {Marshal.GetLastPInvokeError()}");
        }
    }

    private static ulong[] Mask(int[] processors)
    {
        var mask = new ulong[Words];
        Array.ForEach(processors, i => mask[i / 64] |= 1UL << (i % 64));
        return mask;
    }

    [LibraryImport("libc", EntryPoint = "sched_setaffinity", SetLastError = true)]
    private static partial int SetAffinity(int thread, nuint size, ulong* mask);

    [LibraryImport("libc", EntryPoint = "sched_getaffinity", SetLastError = true)]
    private static partial int GetAffinity(int thread, nuint size, ulong* mask);

    [LibraryImport("libc", EntryPoint = "sched_setscheduler", SetLastError = true)]
    private static partial int SetScheduler(int thread, int policy, int* priority);
}
