using System.Text;
using System.Text.Json;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Bench.Compare;

/// <summary>
/// What the gateway needs around it to run with everything on: the catalog's internal API (the snapshot, the usage it takes in) and a
/// collector that takes its metrics. Both answer a few times a second and are not measured.
/// </summary>
internal sealed class GatewayPlane : IAsyncDisposable
{
    private const string Token = "service-token-of-the-bench", Pepper = "pepper-of-the-bench";

    private readonly WebApplication _app;
    private readonly string _folder;
    private readonly int _redis;
    private readonly int _port = ServerProcess.FreePort();
    private long _units;
    private long _metrics;

    public GatewayPlane(string folder, int[] upstreams, int redis, string key)
    {
        (_folder, _redis) = (folder, redis);
        var json = JsonSerializer.SerializeToUtf8Bytes(Snapshot(upstreams, key), SnapshotJson.Default.Snapshot);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{_port}");
        _app = builder.Build();
        _app.MapGet(InternalApi.SnapshotPath, (HttpContext http) =>
        {
            if (http.Request.Headers.IfNoneMatch == "\"1\"")
            {
                return Results.StatusCode(StatusCodes.Status304NotModified);
            }

            http.Response.Headers.ETag = "\"1\"";
            return Results.Bytes(json, "application/json");
        });
        _app.MapPost(InternalApi.UsagePath, async (HttpContext http) =>
        {
            var batch = await http.Request.ReadFromJsonAsync(UsageJson.Default.UsageBatch);
            Interlocked.Add(ref _units, batch!.Items.Sum(static i => i.Units));
            return Results.NoContent();
        });
        _app.MapPost("/v1/metrics", () => Interlocked.Increment(ref _metrics));
    }

    /// <summary>Units of usage that came in.</summary>
    public long Units => Volatile.Read(ref _units);

    /// <summary>Exports of metrics that came in.</summary>
    public long Metrics => Volatile.Read(ref _metrics);

    public Task StartAsync() => _app.StartAsync();

    /// <param name="otherwise">Settings that differ from "everything on".</param>
    public Task<ServerProcess> StartGatewayAsync(params (string Name, string Value)[] otherwise) => StartGatewayAsync(build: null, otherwise);

    /// <param name="build">Folder of another build of the gateway; null: the one this bench was built with.</param>
    /// <param name="otherwise">Settings that differ from "everything on".</param>
    public Task<ServerProcess> StartGatewayAsync(string? build, params (string Name, string Value)[] otherwise)
    {
        var port = ServerProcess.FreePort();
        var own = typeof(Gateway.GatewayApp).Assembly.Location;
        var gateway = build is null ? own : Path.Combine(build, Path.GetFileName(own));
        return ServerProcess.StartAsync(port, "dotnet", [gateway],
        [
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"),
            ("OpenPlatform__KeyPepper", Pepper),
            ("OpenPlatform__ServiceToken", Token),
            ("OpenPlatform__StateDirectory", Directory.CreateDirectory(Path.Combine(_folder, "state")).FullName),
            ("OpenPlatform__Gateway__Observability__AccessLog", "File"),
            ("OpenPlatform__Gateway__Observability__AccessLogFile", Path.Combine(_folder, "access.log")),
            ("ConnectionStrings__redis", $"127.0.0.1:{_redis}"),
            ("services__catalog__http__0", $"http://127.0.0.1:{_port}"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", $"http://127.0.0.1:{_port}"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1000"),
            ("OTEL_TRACES_SAMPLER", "always_off"),
            .. otherwise,
        ]);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static Snapshot Snapshot(int[] upstreams, string key)
    {
        var (api, version, backend, plan, application) = (Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid());
        var hash = new byte[KeyHash.Size];
        KeyHash.TryCompute(Encoding.UTF8.GetBytes(Pepper), key, hash);
        return new(1, DateTimeOffset.UnixEpoch,
            [new(api, "orders", "v1", version, 1, "/orders/v1", backend, [new("listOrders", "GET", "/orders"), new("getOrder", "GET", "/orders/{id}")])],
            [new(backend, "orders", null, [.. upstreams.Select(static port => new Uri($"http://127.0.0.1:{port}"))])],
            [new(plan, "standard", [new(1_000_000, 1), new(500_000_000, 3600)])],
            [new(application, Guid.NewGuid(), "bench", false)],
            [new(Guid.NewGuid(), application, hash)],
            [new(Guid.NewGuid(), application, version, plan)]);
    }
}
