using System.Diagnostics.Metrics;
using OpenPlatform.Catalog.Jobs;

namespace OpenPlatform.Catalog.Usage;

internal sealed class UsageMetrics
{
    private readonly Counter<long> _batches;
    private long _differences;

    public UsageMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(CatalogMeter.Name);
        _batches = meter.CreateCounter<long>("openplatform.catalog.usage.batches", "{batch}", "Batches of usage that came in, by openplatform.accepted; not accepted: it was there.");
        meter.CreateObservableGauge("openplatform.catalog.usage.differences", () => Interlocked.Read(ref _differences), "{difference}",
            "What the last reconciliation of this catalog found: hours, items and batches that do not agree.");
    }

    public void Received(bool accepted) => _batches.Add(1, new KeyValuePair<string, object?>("openplatform.accepted", accepted));

    public void Differences(long count) => Interlocked.Exchange(ref _differences, count);
}
