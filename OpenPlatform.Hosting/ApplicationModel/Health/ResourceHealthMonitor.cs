using System.Collections.Concurrent;
using System.Collections.Immutable;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Hosting;

/// <summary>Runs the health checks of every running instance, publishes their reports, and raises <see cref="ResourceReadyEvent"/> when a resource is healthy for the first time since it started.</summary>
internal sealed class ResourceHealthMonitor(ResourceNotificationService notifications, IDistributedApplicationEventing eventing, IOptions<HealthCheckServiceOptions> checks,
    IHttpClientFactory http, IServiceProvider services, TimeProvider time) : BackgroundService
{
    internal const string HttpClientName = "OpenPlatform.Hosting.Health";

    // Not healthy yet: somebody waits for it, so ask often. Healthy: the executor takes an instance out of traffic when it no longer is.
    private static readonly TimeSpan FirstInterval = TimeSpan.FromMilliseconds(100), StartingInterval = TimeSpan.FromMilliseconds(500), HealthyInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);
    /// <summary>One slow answer on a busy machine does not make a healthy instance unhealthy; two in a row do.</summary>
    private const int FailuresToUnhealthy = 2;

    private readonly ConcurrentDictionary<string, CancellationTokenSource> _monitors = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<IResource, Task> _ready = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var running = new Dictionary<string, IResource>(StringComparer.OrdinalIgnoreCase);
        await foreach (var change in notifications.WatchAsync(stoppingToken))
        {
            var isRunning = !change.IsRemoved && change.Snapshot.State?.Text == KnownResourceStates.Running;
            if (isRunning && running.TryAdd(change.ResourceId, change.Resource))
            {
                var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                _monitors[change.ResourceId] = stop;
                _ = Task.Run(() => MonitorAsync(change.Resource, change.ResourceId, stop.Token), stop.Token);
            }
            else if (!isRunning && running.Remove(change.ResourceId))
            {
                if (_monitors.TryRemove(change.ResourceId, out var monitor))
                {
                    await monitor.CancelAsync();
                    monitor.Dispose();
                }
                if (!running.ContainsValue(change.Resource))
                {
                    lock (_ready)
                    {
                        _ready.Remove(change.Resource);
                    }
                }
            }
        }
    }

    private async Task MonitorAsync(IResource resource, string id, CancellationToken cancellationToken)
    {
        var annotations = resource.Annotations.OfType<HealthCheckAnnotation>().DistinctBy(a => a.Key).ToArray();
        var shown = ImmutableArray<HealthReportSnapshot>.Empty;
        var wasHealthy = false;
        var failures = 0;
        var interval = FirstInterval;
        try
        {
            while (true)
            {
                var reports = (await Task.WhenAll(annotations.Select(a => CheckAsync(a, id, resource, cancellationToken)))).ToImmutableArray();
                var healthy = reports.All(r => r.Status == HealthStatus.Healthy);
                failures = healthy ? 0 : failures + 1;
                if ((!wasHealthy || healthy || failures >= FailuresToUnhealthy) && !Same(reports, shown))
                {
                    shown = reports;
                    await notifications.PublishUpdateAsync(resource, id, s => s.State?.Text == KnownResourceStates.Running ? s with { HealthReports = reports } : s);
                }
                if (healthy && !wasHealthy)
                {
                    wasHealthy = true;
                    await ReadyAsync(resource, id, cancellationToken);
                }
                if (annotations.Length == 0)
                {
                    return;
                }
                wasHealthy = wasHealthy && failures < FailuresToUnhealthy;
                interval = healthy ? HealthyInterval
                    : wasHealthy || failures <= 1 ? FirstInterval
                    : TimeSpan.FromTicks(Math.Min(interval.Ticks * 2, StartingInterval.Ticks));
                await Task.Delay(interval, time, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The instance stopped; when it runs again, a new monitor begins.
        }
    }

    /// <summary>The event is raised once for the resource, however many instances it has; each instance's snapshot carries its task.</summary>
    private Task ReadyAsync(IResource resource, string id, CancellationToken cancellationToken)
    {
        Task ready;
        lock (_ready)
        {
            if (!_ready.TryGetValue(resource, out ready!))
            {
                _ready[resource] = ready = Task.Run(() => eventing.PublishAsync(new ResourceReadyEvent(resource, services), cancellationToken), cancellationToken);
            }
        }
        return notifications.PublishUpdateAsync(resource, id, s => s.State?.Text == KnownResourceStates.Running ? s with { ResourceReadyEvent = new(ready) } : s);
    }

    private async Task<HealthReportSnapshot> CheckAsync(HealthCheckAnnotation annotation, string id, IResource resource, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        HealthCheckResult result;
        try
        {
            if (Instance(resource, id)?.ProbedHealth?.Invoke(annotation.Key) is { } probed)
            {
                return probed;
            }
            if (annotation is HttpHealthCheckAnnotation httpCheck)
            {
                timeout.CancelAfter(Timeout);
                result = await GetAsync(httpCheck, id, resource, timeout.Token);
            }
            else if (checks.Value.Registrations.FirstOrDefault(r => r.Name == annotation.Key) is { } registration)
            {
                timeout.CancelAfter(registration.Timeout > TimeSpan.Zero ? registration.Timeout : Timeout);
                result = await registration.Factory(services).CheckHealthAsync(new() { Registration = registration }, timeout.Token);
            }
            else
            {
                result = HealthCheckResult.Unhealthy($"No health check is registered under the key '{annotation.Key}'. Add it with builder.Services.AddHealthChecks().");
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            result = HealthCheckResult.Unhealthy("The health check took too long.");
        }
#pragma warning disable CA1031 // A check is foreign code: whatever it throws means that it failed.
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            result = HealthCheckResult.Unhealthy(error.Message, error);
        }
        return new(annotation.Key, result.Status, result.Description, result.Exception?.ToString()) { LastRunAt = time.GetUtcNow().UtcDateTime };
    }

    private static ResourceInstance? Instance(IResource resource, string id) =>
        resource.TryGetLastAnnotation<ResourceInstancesAnnotation>(out var known) ? known.Instances.Find(i => i.Id == id) : null;

    private async Task<HealthCheckResult> GetAsync(HttpHealthCheckAnnotation check, string id, IResource resource, CancellationToken cancellationToken)
    {
        var address = Instance(resource, id)?.Addresses.GetValueOrDefault(check.Endpoint.EndpointName) ?? new Uri(await check.Endpoint.GetValueAsync(cancellationToken) ?? "");
        using var client = http.CreateClient(HttpClientName);
        using var response = await client.GetAsync(new Uri(address, check.Path), HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        return (int)response.StatusCode == check.StatusCode
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy($"GET {check.Path} was answered with {(int)response.StatusCode} instead of {check.StatusCode}.");
    }

    private static bool Same(ImmutableArray<HealthReportSnapshot> a, ImmutableArray<HealthReportSnapshot> b) =>
        a.Length == b.Length && a.Zip(b).All(p => p.First.Name == p.Second.Name && p.First.Status == p.Second.Status && p.First.Description == p.Second.Description);
}
