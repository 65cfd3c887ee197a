using System.Diagnostics.Metrics;
using OpenPlatform.Catalog.Jobs;

namespace OpenPlatform.Catalog.Webhooks;

internal sealed class WebhookMetrics(IMeterFactory factory)
{
    private readonly Counter<long> _tries = factory.Create(CatalogMeter.Name).CreateCounter<long>(
        "openplatform.catalog.webhooks.tries", "{try}", "Tries to deliver an event, by openplatform.outcome: delivered, failed, dead.");

    /// <param name="outcome">One of <c>delivered</c>, <c>failed</c>, <c>dead</c>.</param>
    public void Tried(string outcome) => _tries.Add(1, new KeyValuePair<string, object?>("openplatform.outcome", outcome));
}
