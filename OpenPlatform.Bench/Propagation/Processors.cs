using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;

namespace OpenPlatform.Bench.Propagation;

/// <summary>Which processors a process may run on, all its threads. Needs no right, and can be taken back.</summary>
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

    /// <param name="mask">Null: all that this program may use.</param>
    public static void Give(IEnumerable<int> processes, ulong[]? mask = null)
    {
        // Twice: a thread that one begins meanwhile has what that one had.
        foreach (var process in processes.SelectMany(static process => (int[])[process, process]))
        {
            foreach (var thread in Directory.EnumerateDirectories($"/proc/{process}/task").Select(static path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture)))
            {
                fixed (ulong* words = mask ?? s_all)
                {
                    _ = SetAffinity(thread, Words * sizeof(ulong), words); // the thread has ended: so be it
                }
            }
        }
    }

    public static int CountOf(ulong[] mask) => mask.Sum(static word => BitOperations.PopCount(word));

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
}
