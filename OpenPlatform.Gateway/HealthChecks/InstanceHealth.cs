using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.HealthChecks;

/// <summary>
/// What is known of one instance's health. <see cref="BackendHealth"/> changes it under the lock of the backend; only what a pick or the end of a
/// try touches is safe without. Times are milliseconds of a monotonic clock.
/// </summary>
internal sealed class InstanceHealth
{
    private enum Trial
    {
        None,
        Open,
        Taken,
    }

    /// <summary>Rotation in which an instance must stay for its next ejection to be a first one again.</summary>
    private const long ForgivenAfterMs = 10_000;
    private const int MaxDoublings = 5;

    private int _out = -1;
    private int _trial;
    private bool _anyMayTry;
    private bool _seenTaken;
    private long _failures;
    private int _failuresInARow;
    private int _ejectionsInARow;
    private long _returnedAt = long.MinValue / 2;
    private (long Ended, long Failures) _older, _newer;
    private long _halfBegan;

    /// <summary>Null while it is in rotation.</summary>
    public EjectionReason? OutBecause => Volatile.Read(ref _out) is var reason && reason < 0 ? null : (EjectionReason)reason;

    /// <summary>Nobody gets through to it: even in a panic it is no use.</summary>
    public bool IsUnreachable => OutBecause is EjectionReason.ConnectError or EjectionReason.Silent;

    /// <summary>Half-open: it is out, but one request may try it.</summary>
    public bool IsOnTrial => Volatile.Read(ref _trial) != (int)Trial.None;

    public bool IsTrialTaken => Volatile.Read(ref _trial) == (int)Trial.Taken;

    /// <summary>First moment at which an ejected instance may be tried again.</summary>
    public long OutUntil { get; private set; }

    public long TrialSince { get; private set; }

    /// <summary>Failed tries since it is known.</summary>
    public long Failures => Volatile.Read(ref _failures);

    public int FailuresInARow => Volatile.Read(ref _failuresInARow);

    public ProbeSchedule Probes { get; } = new();

    /// <summary>The one caller that gets true sends its request there. Free of locks.</summary>
    /// <param name="mayRepeat">Whether the request can be repeated elsewhere when the trial fails; others only try what nobody else tried.</param>
    public bool TryTakeTrial(bool mayRepeat) =>
        (mayRepeat || OutBecause == EjectionReason.ConnectError || Volatile.Read(ref _anyMayTry))
        && Interlocked.CompareExchange(ref _trial, (int)Trial.Taken, (int)Trial.Open) == (int)Trial.Open;

    /// <summary>Free of locks.</summary>
    public void Succeeded()
    {
        if (FailuresInARow != 0)
        {
            Volatile.Write(ref _failuresInARow, 0);
        }
    }

    public void Failed(bool inARow)
    {
        _failures++;
        _failuresInARow += inARow ? 1 : 0;
    }

    /// <summary>Out of rotation, for twice as long each time in a row.</summary>
    public void Eject(EjectionReason reason, int firstMs, long now)
    {
        _ejectionsInARow = OutBecause is null && now - _returnedAt > ForgivenAfterMs ? 0 : _ejectionsInARow + 1;
        OutUntil = now + ((long)firstMs << Math.Min(_ejectionsInARow, MaxDoublings));
        Volatile.Write(ref _trial, (int)Trial.None);
        Volatile.Write(ref _out, (int)reason);
    }

    /// <summary>Not yet in rotation: a probe decides.</summary>
    public void Start() => Volatile.Write(ref _out, (int)EjectionReason.Starting);

    public void OpenTrial(long now)
    {
        TrialSince = now;
        _seenTaken = false;
        Volatile.Write(ref _anyMayTry, false);
        Volatile.Write(ref _trial, (int)Trial.Open);
    }

    /// <summary>The trial is under way: counts its time from when that is first seen.</summary>
    public void SeeTrialTaken(long now)
    {
        if (!_seenTaken)
        {
            _seenTaken = true;
            TrialSince = now;
        }
    }

    /// <summary>Nobody whose request can be repeated came by: now any request may try.</summary>
    public void WidenTrial() => Volatile.Write(ref _anyMayTry, true);

    /// <summary>The request that tried it has found out nothing.</summary>
    public void ReopenTrial() => Interlocked.CompareExchange(ref _trial, (int)Trial.Open, (int)Trial.Taken);

    public void Return(long ended, long now)
    {
        _returnedAt = now;
        _failuresInARow = 0;
        _older = _newer = (ended, _failures);
        _halfBegan = now;
        Volatile.Write(ref _trial, (int)Trial.None);
        Volatile.Write(ref _out, -1);
    }

    /// <summary>Moves the window on, by halves.</summary>
    public void Rotate(PassiveHealth policy, long ended, long now)
    {
        if (now - _halfBegan >= policy.WindowMs / 2)
        {
            _older = _newer;
            _newer = (ended, _failures);
            _halfBegan = now;
        }
    }

    /// <summary>Tries and failures in the window.</summary>
    public (long Requests, long Failures) Window(long ended) => (ended - _older.Ended, _failures - _older.Failures);
}
