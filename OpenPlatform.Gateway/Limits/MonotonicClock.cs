namespace OpenPlatform.Gateway.Limits;

/// <summary>Microseconds that never go back.</summary>
internal sealed class MonotonicClock(TimeProvider time)
{
    private readonly double _microsecondsPerTick = 1e6 / time.TimestampFrequency;

    public long Now => (long)(time.GetTimestamp() * _microsecondsPerTick);
}
