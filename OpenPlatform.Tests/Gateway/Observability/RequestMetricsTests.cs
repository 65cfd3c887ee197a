using System.Diagnostics.Metrics;
using OpenPlatform.Gateway.Observability;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Observability;

/// <summary>What the gateway counts in place of the platform: nothing is lost or moved to another bucket on its way to the histogram.</summary>
public sealed class RequestMetricsTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void Number_sum_and_buckets_arrive_as_they_were_counted()
    {
        using var meter = new Meter("durations");
        var histogram = meter.CreateHistogram<double>("test");
        var seen = new List<(double Value, object? Status)>();
        using var listener = Listener("durations", (value, labels) => seen.Add((value, labels[0].Value)));
        var table = new DurationTable(2, static (group, status) => [new("status", (group * 1000) + status)]);
        var random = new Random(1);
        var expected = new List<(double Value, object? Status)>();
        for (var i = 0; i < 10_000; i++)
        {
            var (group, status) = (random.Next(2), random.Next(200, 210));
            var took = TimeSpan.FromTicks((long)(Math.Pow(10, random.NextDouble() * 8) * 10));
            table.Add(group, status, took);
            expected.Add((took.TotalSeconds, (group * 1000) + status));
        }

        table.Flush(histogram);
        table.Flush(histogram); // gives nothing twice
        Assert.Equal(10_000, seen.Count);
        Assert.InRange(seen.Sum(static s => s.Value) / expected.Sum(static s => s.Value), 0.999999, 1.000001);
        Assert.Equal(Buckets(expected), Buckets(seen));

        static IEnumerable<string> Buckets(List<(double Value, object? Status)> all) =>
            all.GroupBy(static s => $"{s.Status} {DurationTable.Boundaries.Count(end => s.Value > end)}").Select(static g => $"{g.Key}: {g.Count()}").Order(StringComparer.Ordinal);
    }

    [Fact]
    public void Counting_allocates_nothing()
    {
        var table = new DurationTable(1, static (_, _) => []);
        table.Add(0, 200, TimeSpan.FromMilliseconds(1));
        var least = long.MaxValue;
        for (var attempt = 0; attempt < 5 && least > 0; attempt++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
            {
                table.Add(0, 200, TimeSpan.FromMilliseconds(1));
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    [Fact]
    public async Task Requests_are_counted_by_the_conventions_whichever_way_they_go()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var seen = new List<string>();
        using var listener = Listener("OpenPlatform.Gateway", (_, labels) => seen.Add(string.Join(' ', labels.Select(static l => $"{l.Key}={l.Value}"))));
        using var client = gateway.Client();
        for (var i = 0; i < 20; i++)
        {
            using var get = await client.GetAsync("/orders/v1/orders", Stop);
            using var post = await client.PostAsync("/orders/v1/orders", new StringContent("{}"), Stop);
            using var unknown = await client.GetAsync("/nowhere", Stop);
        }

        await Fixtures.Eventually.TrueAsync(() =>
        {
            listener.RecordObservableInstruments();
            return seen.Count >= 80;
        });
        const string Served = "url.scheme=http network.protocol.version=1.1 http.response.status_code=";
        Assert.Equal(
            [
                $"20 http.request.method=GET server.address=127.0.0.1 server.port={backend.Address.Port} url.scheme=http network.protocol.version=1.1 http.response.status_code=200",
                $"20 http.request.method=GET {Served}200", $"20 http.request.method=GET {Served}404", $"20 http.request.method=POST {Served}200",
            ],
            seen.CountBy(static s => s).Select(static s => $"{s.Value} {s.Key}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task An_answer_that_was_thrown_away_for_another_ones_is_counted_by_its_status()
    {
        await using var failing = await TestBackend.StartAsync(static context =>
        {
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        await using var good = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([failing.Address, good.Address]).WithPolicies(new() { Retry = new(2, [503]) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var seen = new List<string>();
        using var listener = Listener("OpenPlatform.Gateway", (_, labels) => seen.Add(string.Join(' ', labels.Where(static l => l.Key is "server.port" or "http.response.status_code" or "error.type").Select(static l => $"{l.Value}"))));
        using var client = gateway.Client();
        while (failing.Requests.IsEmpty)
        {
            Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
        }

        await Fixtures.Eventually.TrueAsync(() =>
        {
            listener.RecordObservableInstruments();
            return seen.Contains($"{failing.Address.Port} 503 503");
        });
    }

    private static MeterListener Listener(string meter, Action<double, KeyValuePair<string, object?>[]> record)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == meter && instrument.Name is "test" or "http.server.request.duration" or "http.client.request.duration" or "http.server.active_requests")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((_, value, labels, _) => record(value, labels.ToArray()));
        listener.Start();
        return listener;
    }
}
