namespace OpenPlatform.Gateway.Limits;

/// <summary>Microseconds since the start, which never go back.</summary>
internal sealed class MonotonicClock(TimeProvider time)
{
    private readonly long _start = time.GetTimestamp();
    private readonly double _microsecondsPerTick = 1e6 / time.TimestampFrequency;

    public long Now => (long)((time.GetTimestamp() - _start) * _microsecondsPerTick);
}
