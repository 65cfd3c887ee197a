using System.Collections.Concurrent;
using System.Globalization;

namespace OpenPlatform.Gateway.Resilience;

/// <summary>
/// The clock of one try: first until the head of the answer, then until the end of the whole. Pooled, because a timer is dear and nearly
/// none of them ever fires.
/// </summary>
internal sealed class Deadline : CancellationTokenSource
{
    /// <summary>Tells the backend how many milliseconds the gateway will still wait for the head of its answer. A span, not a time of day: clocks differ.</summary>
    public const string Header = "X-Request-Timeout";

    private const int MostPooled = 1024;
    private static readonly ConcurrentQueue<Deadline> Pool = new();
    private long _endsAt;

    /// <summary>Milliseconds until it fires, when it was armed; 0: it never does by itself.</summary>
    public long FirstByte { get; private set; }

    /// <summary>Milliseconds until the end of the whole.</summary>
    public long Whole => Left(_endsAt);

    /// <summary>The shorter wait that a client asked for with the same header, in milliseconds; otherwise <see cref="int.MaxValue"/>.</summary>
    public static int Asked(IHeaderDictionary headers) =>
        headers.TryGetValue(Header, out var asked) && int.TryParse(asked.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds) && milliseconds > 0
            ? milliseconds
            : int.MaxValue;

    /// <summary>Armed for one try, or null when nothing limits it.</summary>
    /// <param name="firstByte">Milliseconds for this try, 0: any.</param>
    /// <param name="endsAt">When the whole must have ended, in <see cref="Environment.TickCount64"/>; <see cref="long.MaxValue"/>: never.</param>
    /// <param name="evenUnlimited">Somebody else may end the try: there must be one.</param>
    public static Deadline? Start(int firstByte, long endsAt, bool evenUnlimited)
    {
        var isLimited = firstByte != 0 || endsAt != long.MaxValue;
        if (!isLimited && !evenUnlimited)
        {
            return null;
        }

        if (!Pool.TryDequeue(out var deadline))
        {
            deadline = new();
        }

        deadline._endsAt = endsAt;
        deadline.FirstByte = 0;
        if (isLimited)
        {
            var left = Left(endsAt);
            deadline.FirstByte = firstByte == 0 ? left : Math.Min(firstByte, left);
            deadline.CancelAfter(TimeSpan.FromMilliseconds(deadline.FirstByte));
        }

        return deadline;
    }

    /// <summary>The first byte is awaited from now on, at most so many milliseconds and not beyond the end of the whole.</summary>
    public void Await(int firstByte)
    {
        FirstByte = Math.Min(firstByte, Whole);
        CancelAfter(TimeSpan.FromMilliseconds(FirstByte));
    }

    /// <summary>The head of the answer is here: from now on only the end of the whole counts.</summary>
    public void Answered()
    {
        if (FirstByte != 0)
        {
            CancelAfter(_endsAt == long.MaxValue ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(Left(_endsAt)));
        }
    }

    /// <summary>The try is over.</summary>
    public void Return()
    {
        if (TryReset() && Pool.Count < MostPooled)
        {
            Pool.Enqueue(this);
        }
        else
        {
            Dispose();
        }
    }

    private static long Left(long endsAt) => Math.Max(0, endsAt - Environment.TickCount64);
}
