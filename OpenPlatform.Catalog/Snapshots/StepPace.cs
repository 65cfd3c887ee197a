namespace OpenPlatform.Catalog.Snapshots;

/// <summary>
/// How long a stream gathers revisions after a step before the next one goes to its gateway, which has requests to answer. The first revision after a while goes at
/// once; a run of changes costs a gateway eight steps a second at most, however many changes there are.
/// </summary>
internal sealed class StepPace(TimeProvider time)
{
    /// <summary>After a step that is not one of a run.</summary>
    public static readonly TimeSpan Short = TimeSpan.FromMilliseconds(20);

    /// <summary>In a run: half of the quarter of a second in which a change has to be in effect.</summary>
    public static readonly TimeSpan Long = TimeSpan.FromMilliseconds(125);

    /// <summary>Steps within <see cref="Span"/> that are a run: more than somebody makes by hand.</summary>
    public const int Run = 5;

    public static readonly TimeSpan Span = TimeSpan.FromSeconds(2);

    // Times of the last steps, the oldest at _next; 0: none yet.
    private readonly long[] _steps = new long[Run];
    private int _next;

    /// <summary>A step has gone: how long to gather now.</summary>
    public TimeSpan AfterStep()
    {
        var now = time.GetTimestamp();
        _steps[_next] = now;
        _next = (_next + 1) % Run;
        return _steps[_next] != 0 && time.GetElapsedTime(_steps[_next], now) < Span ? Long : Short;
    }
}
