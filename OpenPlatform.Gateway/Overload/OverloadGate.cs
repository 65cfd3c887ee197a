using System.Diagnostics;

namespace OpenPlatform.Gateway.Overload;

/// <summary>
/// Lets so many requests through to a backend as it can work on, those of the highest plans first (docs/adr/0007). A request holds its
/// place until the answer's head has come: what streams after that does not queue.
/// </summary>
internal sealed class OverloadGate(OverloadOptions options)
{
    /// <summary>Priorities 0 to 9; see <c>PlanModel.Priority</c>.</summary>
    public const int Levels = 10;

    private readonly int[] _inFlight = new int[Levels];

    public GradientLimit Limit { get; } = new(options);

    public int InFlight => From(0);

    /// <summary>
    /// True: go, and <see cref="Pass.Leave"/>. A request goes as long as those of its own and of higher priority are fewer than the limit: those
    /// below it never count, so the top plan is refused only when it alone is more than the backend can take.
    /// </summary>
    public bool TryEnter(int priority, out Pass pass)
    {
        var counted = From(priority);
        if (counted >= Limit.Current)
        {
            pass = default;
            return false;
        }

        Interlocked.Increment(ref _inFlight[priority]);
        pass = new(this, priority, priority == 0 ? counted + 1 : From(0), Stopwatch.GetTimestamp());
        return true;
    }

    private int From(int priority)
    {
        var sum = 0;
        for (var level = priority; level < Levels; level++)
        {
            sum += Volatile.Read(ref _inFlight[level]);
        }

        return sum;
    }

    /// <summary>A place. The default value is none.</summary>
    internal readonly record struct Pass(OverloadGate? Gate, int Priority, int InFlight, long Since)
    {
        /// <summary>Gives the place back.</summary>
        /// <param name="sample">True: how long it took says something about the backend.</param>
        public void Leave(bool sample)
        {
            if (Gate is null)
            {
                return;
            }

            Interlocked.Decrement(ref Gate._inFlight[Priority]);
            if (sample)
            {
                var now = Stopwatch.GetTimestamp();
                Gate.Limit.Sample(now - Since, InFlight, now);
            }
        }
    }
}
