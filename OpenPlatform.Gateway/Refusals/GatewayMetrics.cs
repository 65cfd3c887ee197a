using System.Diagnostics.Metrics;

namespace OpenPlatform.Gateway.Refusals;

/// <summary>The gateway's own instruments. Labels are closed sets: never an application, a path or a key.</summary>
internal sealed class GatewayMetrics
{
    public const string MeterName = "OpenPlatform.Gateway";

    private readonly Counter<long> _refusals;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _degraded;
    private readonly Histogram<double> _added;

    public GatewayMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(MeterName);
        _refusals = meter.CreateCounter<long>("openplatform.gateway.refusals", "{refusal}",
            "Requests the gateway answered itself, by openplatform.refusal.");
        _retries = meter.CreateCounter<long>("openplatform.gateway.retries", "{try}",
            "Further tries on another instance after a failed one.");
        _degraded = meter.CreateCounter<long>("openplatform.gateway.degraded", "{answer}",
            "Answers that stood in for a backend's own, by openplatform.degraded.");
        _added = meter.CreateHistogram("openplatform.gateway.request.added", "s", "Time that timed requests spent in the steps before they were sent on.", tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1] });
    }

    public void Added(TimeSpan time) => _added.Record(time.TotalSeconds);

    /// <param name="kind">One of <c>alternate</c>, <c>stale</c>, <c>static</c>.</param>
    public void Degraded(string kind) => _degraded.Add(1, new KeyValuePair<string, object?>("openplatform.degraded", kind));

    public void Refused(Refusal refusal) =>
        _refusals.Add(1, new KeyValuePair<string, object?>("openplatform.refusal", RefusalTable.Shapes[refusal].Slug));

    public void Retried() => _retries.Add(1);
}
