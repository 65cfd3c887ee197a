using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace OpenPlatform.ServiceDefaults.Redis.InRepo;

/// <summary>What the Redis client measures; names follow OpenTelemetry's database conventions where they have one.</summary>
internal sealed class RedisMetrics : IDisposable
{
    public const string MeterName = "OpenPlatform.Redis";

    /// <summary>Spans are off unless asked for, see <see cref="RedisOptions.Tracing"/>.</summary>
    public static readonly ActivitySource Source = new(MeterName);

    private readonly Meter _meter = new(MeterName);
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _failures;
    private readonly Counter<long> _connections;
    private readonly TimeProvider _time;

    public RedisMetrics(TimeProvider time, Func<int> inFlight)
    {
        _time = time;
        _duration = _meter.CreateHistogram<double>("db.client.operation.duration", "s", "Time from the call to its end.");
        _failures = _meter.CreateCounter<long>(
            "openplatform.redis.failures", "{call}", "Calls that ended without a value, by error.type.");
        _connections = _meter.CreateCounter<long>(
            "openplatform.redis.connections", "{attempt}", "Attempts to connect, by openplatform.redis.outcome.");
        _meter.CreateObservableUpDownCounter("openplatform.redis.in_flight", inFlight, "{call}", "Calls that wait for their answer.");
    }

    /// <param name="now">Timestamp, or 0 to take one when it is needed.</param>
    public void Finished(string command, long calledAt, long now, string? error)
    {
        if (_duration.Enabled)
        {
            var seconds = _time.GetElapsedTime(calledAt, now == 0 ? _time.GetTimestamp() : now).TotalSeconds;
            var tags = new TagList { { "db.system.name", "redis" }, { "db.operation.name", command } };
            if (error is not null)
            {
                tags.Add("error.type", error);
            }

            _duration.Record(seconds, tags);
        }

        if (error is not null)
        {
            _failures.Add(1, new KeyValuePair<string, object?>("error.type", error));
        }
    }

    public void Connected() => _connections.Add(1, new KeyValuePair<string, object?>("openplatform.redis.outcome", "connected"));

    public void ConnectFailed() => _connections.Add(1, new KeyValuePair<string, object?>("openplatform.redis.outcome", "failed"));

    public void Dispose() => _meter.Dispose();
}
