using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Hosting.ApplicationModel;

public sealed class HealthMonitorTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_replica_is_asked_at_its_own_address_and_the_ready_event_comes_once()
    {
        await using var good = await Server.StartAsync(200);
        await using var bad = await Server.StartAsync(503);
        var builder = Apps.Running();
        var ready = 0;
        var api = builder.AddContainer("api", "image").WithHttpEndpoint(targetPort: 80).WithHttpHealthCheck("/health").OnResourceReady((_, _, _) =>
        {
            Interlocked.Increment(ref ready);
            return Task.CompletedTask;
        });
        api.WithAnnotation(new ResourceInstancesAnnotation
        {
            Instances = [new("api-a", new Dictionary<string, Uri> { ["http"] = good.Address }), new("api-b", new Dictionary<string, Uri> { ["http"] = bad.Address })],
        });
        await using var app = builder.Build();
        await using var monitor = await MonitorAsync(app);
        await app.ResourceNotifications.PublishUpdateAsync(api.Resource, s => s with { State = KnownResourceStates.Running });

        await app.ResourceNotifications.WaitForResourceHealthyAsync("api", Stop).WaitAsync(TimeSpan.FromSeconds(10), Stop);
        await Eventually.TrueAsync(() => Health(app, "api-b") is { Status: HealthStatus.Unhealthy, Description: { } why } && why.Contains("503 instead of 200", StringComparison.Ordinal));
        Assert.Equal(HealthStatus.Healthy, Health(app, "api-a").Status);
        bad.Status = 200;
        await Eventually.TrueAsync(() => Health(app, "api-b").Status == HealthStatus.Healthy);
        Assert.Equal(1, ready);
    }

    [Fact]
    public async Task An_instance_that_stops_answering_becomes_unhealthy_and_one_that_starts_again_proves_itself_anew()
    {
        await using var server = await Server.StartAsync(200);
        var builder = Apps.Running();
        var api = builder.AddContainer("api", "image").WithHttpEndpoint(port: server.Address.Port, targetPort: 80).WithHttpHealthCheck();
        builder.Allocate();
        await using var app = builder.Build();
        await using var monitor = await MonitorAsync(app);
        await app.ResourceNotifications.PublishUpdateAsync(api.Resource, s => s with { State = KnownResourceStates.Running });
        await Eventually.TrueAsync(() => Health(app, "api").Status == HealthStatus.Healthy);

        server.Status = 500;
        await Eventually.TrueAsync(() => Health(app, "api").Status == HealthStatus.Unhealthy);

        await app.ResourceNotifications.PublishUpdateAsync(api.Resource, s => s with { State = KnownResourceStates.Exited });
        Assert.Null(Health(app, "api").Status);
        server.Status = 200;
        await app.ResourceNotifications.PublishUpdateAsync(api.Resource, s => s with { State = KnownResourceStates.Running });
        await app.ResourceNotifications.WaitForResourceHealthyAsync("api", Stop).WaitAsync(TimeSpan.FromSeconds(10), Stop);
    }

    [Fact]
    public async Task A_check_of_the_applications_own_decides_and_a_key_nobody_registered_says_so()
    {
        var healthy = false;
        var builder = Apps.Running();
        builder.Services.AddHealthChecks().AddCheck("own", () => Volatile.Read(ref healthy) ? HealthCheckResult.Healthy() : throw new InvalidOperationException("not yet"));
        var c = builder.AddContainer("c", "image").WithHealthCheck("own");
        var d = builder.AddContainer("d", "image").WithHealthCheck("unknown");
        await using var app = builder.Build();
        await using var monitor = await MonitorAsync(app);
        await app.ResourceNotifications.PublishUpdateAsync(c.Resource, s => s with { State = KnownResourceStates.Running });
        await app.ResourceNotifications.PublishUpdateAsync(d.Resource, s => s with { State = KnownResourceStates.Running });

        await Eventually.TrueAsync(() => Health(app, "c").Description == "not yet");
        Volatile.Write(ref healthy, true);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("c", Stop).WaitAsync(TimeSpan.FromSeconds(10), Stop);
        await Eventually.TrueAsync(() => Health(app, "d").Description?.Contains("'unknown'", StringComparison.Ordinal) == true);
    }

    private static HealthReportSnapshot Health(DistributedApplication app, string id) =>
        app.ResourceNotifications.TryGetCurrentState(id, out var current) ? current.Snapshot.HealthReports.Single() : new("", null, null, null);

    private static async Task<RunningMonitor> MonitorAsync(DistributedApplication app)
    {
        var monitor = app.Services.GetServices<IHostedService>().OfType<ResourceHealthMonitor>().Single();
        await monitor.StartAsync(Stop);
        return new(monitor);
    }

    private sealed class RunningMonitor(ResourceHealthMonitor monitor) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => new(monitor.StopAsync(CancellationToken.None));
    }

    private sealed class Server(WebApplication app) : IAsyncDisposable
    {
        private int _status;
        internal int Status { get => Volatile.Read(ref _status); set => Volatile.Write(ref _status, value); }
        internal Uri Address => new(app.Urls.Single());

        internal static async Task<Server> StartAsync(int status)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            builder.Logging.ClearProviders();
            var app = builder.Build();
            var server = new Server(app) { Status = status };
            app.Run(context =>
            {
                context.Response.StatusCode = server.Status;
                return Task.CompletedTask;
            });
            await app.StartAsync(Stop);
            return server;
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
