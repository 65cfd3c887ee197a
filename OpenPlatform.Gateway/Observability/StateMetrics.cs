using System.Diagnostics.Metrics;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Observability;

/// <summary>What the gateway is, read when somebody collects. Its only label is the state of instances.</summary>
internal sealed class StateMetrics
{
    private long _revision = long.MaxValue;

    public StateMetrics(IMeterFactory factory, ActiveSnapshot snapshots, InstanceDirectory instances, GatewayCount gateways, LimiterTable limiters, TokenLender lender, AccessLog log)
    {
        var meter = factory.Create(GatewayMetrics.MeterName);
        meter.CreateObservableGauge("openplatform.gateway.snapshot.revision", () => snapshots.Current?.Revision ?? -1, "{revision}", "Revision in force; -1: none yet.");
        meter.CreateObservableGauge("openplatform.gateway.gateways", () => gateways.Live, "{gateway}", "Gateways that share the traffic, as far as this one knows.");
        meter.CreateObservableGauge("openplatform.gateway.instances", () => States(instances), "{instance}", "Instances of all backends, by openplatform.state.");
        meter.CreateObservableGauge("openplatform.gateway.limiters", () => limiters.Count, "{limiter}", "Limits in use on this gateway.");
        meter.CreateObservableGauge("openplatform.gateway.limits.local", () => lender.HasRedis && !lender.IsUsable ? 1 : 0, "1", "1 while limits are kept without Redis although there is one.");
        meter.CreateObservableCounter("openplatform.gateway.limits.awaited", () => lender.Awaited, "{request}", "Requests that waited for Redis: exact limits, and small ones near their end.");
        var delay = meter.CreateHistogram("openplatform.gateway.snapshot.delay", "s", "From the moment a revision was written to its being in force here.", tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60] });
        snapshots.Applied += () => Arrived(snapshots.Current, delay);
        meter.CreateObservableCounter("openplatform.gateway.access_log.dropped", () => log.Dropped, "{line}", "Access log lines that were not written: the target was too slow.");
    }

    /// <summary>The first one does not count: it may be as old as the last change.</summary>
    private void Arrived(GatewaySnapshot? snapshot, Histogram<double> delay)
    {
        if (snapshot is null)
        {
            return;
        }

        if (snapshot.Revision > _revision)
        {
            // Clocks of two machines differ.
            delay.Record(Math.Max(0, (snapshot.AppliedAt - snapshot.CreatedAt).TotalSeconds));
        }

        _revision = snapshot.Revision;
    }

    private static IEnumerable<Measurement<int>> States(InstanceDirectory instances)
    {
        var counts = instances.Describe().CountBy(static instance => instance.State).ToDictionary();
        return Enum.GetValues<InstanceStateName>().Select(state => new Measurement<int>(
            counts.GetValueOrDefault(state), new KeyValuePair<string, object?>("openplatform.state", state.ToString().ToLowerInvariant())));
    }
}
