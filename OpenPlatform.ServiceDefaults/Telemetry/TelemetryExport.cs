using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenPlatform.ServiceDefaults.Instances;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace OpenPlatform.ServiceDefaults.Telemetry;

/// <summary>A meter of the platform that is not listened to, because the service has the same instruments itself.</summary>
public sealed record ReplacedMeter(string Name);

/// <summary>Listens before any other hosted service starts and sends what is left after the last one stopped.</summary>
internal sealed class TelemetryExport(IConfiguration configuration, ServiceIdentity identity, IEnumerable<ReplacedMeter> replaced) : IHostedLifecycleService, IDisposable
{
    /// <summary>Longest wait for a collector that is away while the process wants to end.</summary>
    private const int FlushMilliseconds = 3000;

    /// <summary>Label values that others choose (status codes, names and addresses of instances) are bounded: what is more goes into one series
    /// marked <c>otel.metric.overflow</c>.</summary>
    private static int MostSeries(string instrument) => instrument == "http.server.request.duration" ? 400 : 60;

    private static readonly string[] Meters =
    [
        "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.Routing", "Microsoft.AspNetCore.Diagnostics", "Microsoft.AspNetCore.Authentication",
        "Microsoft.AspNetCore.Authorization", "Microsoft.AspNetCore.RateLimiting", "System.Net.Http", "System.Net.NameResolution", "System.Runtime", "Npgsql", "Polly",
        "OpenPlatform.*",
    ];

    /// <summary>False when nothing would be sampled or sent: then no request gets a span at all, and trace context passes through as it came.</summary>
    private static bool Traces(IConfiguration configuration) =>
        configuration["OTEL_TRACES_SAMPLER"] != "always_off" && configuration["OTEL_TRACES_EXPORTER"] != "none";

    private TracerProvider? _traces;
    private MeterProvider? _metrics;

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        _traces = !Traces(configuration) ? null : Sdk.CreateTracerProviderBuilder()
            .ConfigureServices(services => services.AddSingleton(configuration))
            .ConfigureResource(resource => resource.AddIdentity(identity, configuration))
            .AddSource("Microsoft.AspNetCore", "System.Net.Http", "Npgsql", "Yarp.ReverseProxy", "OpenPlatform.*")
            .AddProcessor(new SpanHygiene())
            .AddOtlpExporter()
            .Build();
        _metrics = Sdk.CreateMeterProviderBuilder()
            .ConfigureServices(services => services.AddSingleton(configuration))
            .ConfigureResource(resource => resource.AddIdentity(identity, configuration))
            .AddMeter([.. Meters.Except(replaced.Select(static meter => meter.Name))])
            .AddView(static instrument => instrument.Name == "http.client.active_requests" // twice a request, to say what the server's says
                ? MetricStreamConfiguration.Drop
                : new MetricStreamConfiguration { CardinalityLimit = MostSeries(instrument.Name) })
            .AddOtlpExporter()
            .Build();
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.WhenAll(
        Task.Run(() => _traces?.ForceFlush(FlushMilliseconds), cancellationToken),
        Task.Run(() => _metrics?.ForceFlush(FlushMilliseconds), cancellationToken));

    public void Dispose()
    {
        _traces?.Shutdown(FlushMilliseconds);
        _metrics?.Shutdown(FlushMilliseconds);
        _traces?.Dispose();
        _metrics?.Dispose();
    }
}
