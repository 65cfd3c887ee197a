using System.Diagnostics.Metrics;

namespace OpenPlatform.Catalog.Jobs;

/// <summary>What jobs report. Labels are closed sets: the names of the jobs.</summary>
internal sealed class JobMetrics
{
    private readonly Counter<long> _runs;
    private int _leads;

    public JobMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(CatalogMeter.Name);
        _runs = meter.CreateCounter<long>("openplatform.catalog.jobs.runs", "{run}", "Runs of leader-only jobs, by openplatform.job and openplatform.succeeded.");
        meter.CreateObservableGauge("openplatform.catalog.jobs.leader", () => _leads, "1", "1 on the catalog that does the leader-only work.");
    }

    public void Ran(string job, bool succeeded) =>
        _runs.Add(1, new("openplatform.job", job), new KeyValuePair<string, object?>("openplatform.succeeded", succeeded));

    public void Leads(bool leads) => Volatile.Write(ref _leads, leads ? 1 : 0);
}

/// <summary>The catalog's own instruments are of one meter.</summary>
internal static class CatalogMeter
{
    public const string Name = "OpenPlatform.Catalog";
}
