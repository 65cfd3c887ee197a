using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Observability;

public sealed class SeriesTests
{
    [Fact]
    public async Task At_most_two_thousand_series_whatever_is_published_and_answered()
    {
        const int Operations = 10_000;
        const int Backends = 100;
        await using var collector = await OtlpCollector.StartAsync();
        await using var backend = await TestBackend.StartAsync(static context =>
        {
            context.Response.StatusCode = 200 + (int.Parse(context.Request.Path.Value!.Split('/')[^1]) % 400);
            return Task.CompletedTask;
        });
        var empty = TestSnapshot.Create([backend.Address]);

        // 100 APIs of 100 operations, each API with a backend of another name and address. Only the first one is there, and gives every status.
        static Guid Id(int kind, int n) => new($"{kind:D8}-0000-0000-0000-{n:D12}");
        var apis = Enumerable.Range(0, Backends).Select(n => new ApiModel(
            Id(1, n), $"api-{n}", "v1", Id(2, n), 1, $"/api-{n}/v1", Id(3, n),
            [.. Enumerable.Range(0, Operations / Backends).Select(static o => new OperationModel($"o{o}", "GET", $"/o{o}/{{id}}"))])).ToArray();
        var snapshot = empty with
        {
            Apis = apis,
            Backends = [.. Enumerable.Range(0, Backends).Select(n => new BackendModel(Id(3, n), $"backend-{n}", null, [new($"http://127.0.0.{n + 1}:{backend.Address.Port}")]))],
            Subscriptions = [.. Enumerable.Range(0, Backends).Select(n => new SubscriptionModel(Id(4, n), TestSnapshot.Subscriber, Id(2, n), TestSnapshot.PlanId))],
        };
        await using var catalog = await TestCatalog.StartAsync(snapshot);
        var state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
        await using (var gateway = await Processes.StartGatewayAsync(
            catalog, state, ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("OTEL_METRIC_EXPORT_INTERVAL", "500")))
        {
            using var client = gateway.Client();
            var statuses = new HashSet<int>();
            for (var i = 0; i < 2000; i++)
            {
                using var request = new HttpRequestMessage(i % 7 == 6 ? new HttpMethod($"M{i}") : HttpMethod.Get, $"/api-{(i % 2 == 0 ? 0 : i % Backends)}/v1/o{i % 97}/{i}");
                using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
                statuses.Add((int)response.StatusCode);
            }

            Assert.True(statuses.Count > 100, $"only {statuses.Count} statuses: {string.Join(", ", statuses)}");

            gateway.Terminate(); // the last export
            await gateway.ExitCodeAsync();
        }

        Directory.Delete(state, recursive: true);
        var series = collector.Series;
        TestContext.Current.TestOutputHelper?.WriteLine($"{series.Values.Sum()} series: {string.Join(", ", series.OrderByDescending(static s => s.Value).Take(8))}");
        Assert.InRange(series.Values.Sum(), 100, 2000);
    }
}
