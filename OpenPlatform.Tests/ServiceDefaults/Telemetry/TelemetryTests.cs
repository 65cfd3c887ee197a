using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.ServiceDefaults.Telemetry;

/// <summary>What the Orders sample, which has nothing but the service defaults, really sends to a collector.</summary>
public sealed class TelemetryTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Server_spans_are_complete_health_is_silent_nothing_secret_leaves_and_all_is_flushed_at_the_end()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using var orders = await ServiceProcess.StartAsync("Orders.dll", new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Endpoint,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_SERVICE_NAME"] = "orders-under-test",
            ["OTEL_RESOURCE_ATTRIBUTES"] = "service.instance.id=orders-7",
            ["OTEL_TRACES_SAMPLER"] = "always_on", // as the AppHost sets it in development: not even a checked neighbour may show

            // Long: what arrives has been flushed by the stop.
            ["OTEL_BSP_SCHEDULE_DELAY"] = "600000",
            ["OTEL_METRIC_EXPORT_INTERVAL"] = "600000",
            ["OTEL_BLRP_SCHEDULE_DELAY"] = "600000",
        });
        using var http = new HttpClient { BaseAddress = orders.Address };
        foreach (var path in (string[])["/orders/ord_000001?api_key=SECRET-1", "/error?status=503", "/nowhere/SECRET-FREE", "/health", "/alive", "/orders?limit=0"])
        {
            using var answer = await http.GetAsync(path, Stop);
        }

        using (var strange = new HttpRequestMessage(new HttpMethod("BREW"), "/orders"))
        using (var answer = await http.SendAsync(strange, Stop))
        {
        }

        orders.Terminate();
        Assert.Equal(0, await orders.ExitCodeAsync());

        var spans = collector.Spans;
        Assert.All(spans, span => Assert.Equal(("orders-under-test", 2), (span.Service, span.Kind)));
        Assert.Equal(
            ["GET /orders/{id}", "GET /error", "GET", "GET /orders", "_OTHER"],
            spans.Select(span => span.Name));
        var read = spans[0].Attributes;
        Assert.Equal("/orders/{id}", read["http.route"]);
        Assert.Equal("GET", read["http.request.method"]);
        Assert.Equal("200", read["http.response.status_code"]);
        Assert.Equal("/orders/ord_000001", read["url.path"]);
        Assert.Equal([false, true, false, false, false], spans.Select(span => span.Failed));
        Assert.Equal("503", spans[1].Attributes["error.type"]);
        Assert.Equal("404", spans[2].Attributes["http.response.status_code"]);
        Assert.Equal("400", spans[3].Attributes["http.response.status_code"]);

        Assert.DoesNotContain("SECRET-1", collector.RawText, StringComparison.Ordinal);
        Assert.Contains("orders-7", collector.RawText, StringComparison.Ordinal);
        Assert.True(collector.HasMetric("http.server.request.duration"));
        Assert.True(collector.HasMetric("dotnet.gc.collections"));
        Assert.True(collector.HasLog("Application started"));
    }

    [Fact]
    public async Task A_collector_that_is_away_holds_up_neither_start_nor_stop()
    {
        var gone = await OtlpCollector.StartAsync();
        var endpoint = gone.Endpoint;
        await gone.DisposeAsync();
        await using var orders = await ServiceProcess.StartAsync("Orders.dll", new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        });
        using var http = new HttpClient { BaseAddress = orders.Address };
        using var answer = await http.GetAsync("/orders", Stop);
        Assert.True(answer.IsSuccessStatusCode);
        var stopping = System.Diagnostics.Stopwatch.StartNew();
        orders.Terminate();
        Assert.Equal(0, await orders.ExitCodeAsync());
        Assert.InRange(stopping.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(15));
    }
}
