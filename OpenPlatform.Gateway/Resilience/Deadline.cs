using System.Collections.Concurrent;
using System.Globalization;

namespace OpenPlatform.Gateway.Resilience;

/// <summary>
/// The clock of one try: first until the head of the answer, then until the end of the whole. Pooled, because a timer is dear and nearly
/// none of them ever fires. A timer that has fired cannot be called back, and its work may wait for a thread: so it asks what is due when it
/// gets there, and whoever comes first, it or the head of the answer, decides for both.
/// </summary>
internal sealed class Deadline : CancellationTokenSource
{
    /// <summary>Tells the backend how many milliseconds the gateway will still wait for the head of its answer. A span, not a time of day: clocks differ.</summary>
    public const string Header = "X-Request-Timeout";

    private const int MostPooled = 1024;
    private const long Never = long.MaxValue;
    private static readonly ConcurrentQueue<Deadline> Pool = new();
    private readonly Lock _gate = new();
    private readonly Timer _timer;
    private long _endsAt;
    private long _dueAt = Never;
    private long _firesAt = Never;
    private bool _isLate;

    private Deadline()
    {
        using AsyncFlowControl? flow = ExecutionContext.IsFlowSuppressed() ? null : ExecutionContext.SuppressFlow(); // it outlives the request that made it
        _timer = new(static deadline => ((Deadline)deadline!).Fire(), this, Timeout.Infinite, Timeout.Infinite);
    }

    /// <summary>Milliseconds until it fires, when it was armed; 0: it never does by itself.</summary>
    public long FirstByte { get; private set; }

    /// <summary>Milliseconds until the end of the whole.</summary>
    public long Whole => Left(_endsAt);

    /// <summary>The time was over before the try was.</summary>
    public bool IsLate => Volatile.Read(ref _isLate);

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
        var isLimited = firstByte != 0 || endsAt != Never;
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
            deadline.Await(firstByte == 0 ? int.MaxValue : firstByte);
        }

        return deadline;
    }

    /// <summary>The first byte is awaited from now on, at most so many milliseconds and not beyond the end of the whole.</summary>
    public void Await(int firstByte)
    {
        FirstByte = Math.Min(firstByte, Whole);
        lock (_gate)
        {
            DueAt(Environment.TickCount64 + FirstByte);
        }
    }

    /// <summary>The head of the answer is here: from now on only the end of the whole counts.</summary>
    /// <returns>False: it came too late, the try has ended.</returns>
    public bool TryAnswer()
    {
        lock (_gate)
        {
            if (_isLate)
            {
                return false;
            }

            DueAt(_endsAt);
            return true;
        }
    }

    /// <summary>The timer's work, whenever it gets to it.</summary>
    internal void Fire()
    {
        lock (_gate)
        {
            _firesAt = Never;
            if (_dueAt > Environment.TickCount64)
            {
                DueAt(_dueAt);
                return;
            }

            _isLate = true;
        }

        Cancel();
    }

    /// <summary>The try is over.</summary>
    public void Return()
    {
        lock (_gate)
        {
            _dueAt = Never;
        }

        if (!_isLate && TryReset() && Pool.Count < MostPooled)
        {
            Pool.Enqueue(this);
        }
        else
        {
            _timer.Dispose(); // and nothing else: whoever has made it late may be about to cancel it, and what is disposed cannot be
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _timer.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Under the lock. A timer that fires too early looks again then, which is cheaper than to move it with every request.</summary>
    private void DueAt(long dueAt)
    {
        _dueAt = dueAt;
        if (dueAt < _firesAt)
        {
            _firesAt = dueAt;
            _timer.Change(Left(dueAt), Timeout.Infinite);
        }
    }

    private static long Left(long endsAt) => Math.Max(0, endsAt - Environment.TickCount64);
}
