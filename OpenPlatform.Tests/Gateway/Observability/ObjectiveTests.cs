using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Observability;

/// <summary>The two objectives that nothing else shows: what the gateway adds to a request, and how late a change arrives.</summary>
public sealed class ObjectiveTests
{
    [Fact]
    public async Task A_timed_request_tells_what_the_gateway_added_and_a_later_revision_how_late_it_was()
    {
        var seen = new ConcurrentQueue<(object Meter, string Name, double Value)>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, meters) =>
            {
                if (instrument.Name is "openplatform.gateway.request.added" or "openplatform.gateway.snapshot.delay")
                {
                    meters.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => seen.Enqueue((instrument.Meter, instrument.Name, value)));
        listener.Start();
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: ("OpenPlatform:Gateway:Observability:DecisionEvery", "1"));
        using var client = gateway.Client();
        using var answer = await client.GetAsync("/orders/v1/orders", TestContext.Current.CancellationToken);
        catalog.Publish(TestSnapshot.Create([backend.Address], revision: 2) with { CreatedAt = DateTimeOffset.UtcNow - TimeSpan.FromSeconds(3) });

        await Eventually.TrueAsync(() => seen.Any(s => s.Name == "openplatform.gateway.snapshot.delay") && seen.Any(s => s.Name == "openplatform.gateway.request.added"));
        Assert.All(seen.Where(s => s.Name == "openplatform.gateway.snapshot.delay"), s => Assert.True(s.Value >= 3));
        Assert.All(seen.Where(s => s.Name == "openplatform.gateway.request.added"), s => Assert.True(s.Value > 0));
    }
}
