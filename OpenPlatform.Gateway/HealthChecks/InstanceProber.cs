using System.Net;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.HealthChecks;

/// <summary>
/// Ticks the instance tables and sends the probes they ask for: one at a time to an instance, however many operations call it. Without
/// active probes a backend hears from it only when an instance is suspect: <c>HEAD /</c>, where any answer at all is a sign of life.
/// </summary>
internal sealed class InstanceProber(InstanceDirectory directory, TimeProvider time, ILogger<InstanceProber> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan SuspectTimeout = TimeSpan.FromSeconds(1);

    // Never through the pool of the requests: a connection that hangs there must not decide.
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(60),
        ActivityHeadersPropagator = null, // no span for a probe
    });

    private readonly List<Instance> _due = [];
    private readonly List<Task> _underWay = [];

    public override void Dispose()
    {
        _http.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await Ticked(timer, stoppingToken))
        {
            foreach (var backend in directory.Backends)
            {
                _due.Clear();
                backend.Tick(_due);
                _underWay.AddRange(_due.Select(instance => ProbeAsync(backend, instance, stoppingToken)));
            }

            _underWay.RemoveAll(static probe => probe.IsCompleted);
        }

        await Task.WhenAll(_underWay);
    }

    private static async Task<bool> Ticked(PeriodicTimer timer, CancellationToken stoppingToken)
    {
        try
        {
            return await timer.WaitForNextTickAsync(stoppingToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task ProbeAsync(BackendState backend, Instance instance, CancellationToken stoppingToken)
    {
        try
        {
            var active = backend.Model.Health?.Active;
            var suspect = active is null || instance.Health.Probes.IsSuspect;
            var timeout = TimeSpan.FromMilliseconds(active?.TimeoutMs ?? int.MaxValue);
            var result = await AskAsync(backend, instance, active, suspect && timeout > SuspectTimeout ? SuspectTimeout : timeout, stoppingToken);
            logger.Probed(instance.Prefix, backend.Model.Name, result);
            backend.Probed(instance, result);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping: the answer is of no use any more.
        }
    }

    private async Task<ProbeResult> AskAsync(BackendState backend, Instance instance, ActiveHealth? active, TimeSpan timeout, CancellationToken stoppingToken)
    {
        using var limit = new CancellationTokenSource(timeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, limit.Token);
        using var request = new HttpRequestMessage(active is null ? HttpMethod.Head : HttpMethod.Get, instance.Prefix + active?.Path[1..]);
        request.Headers.TryAddWithoutValidation("User-Agent", "OpenPlatform-Probe");
        if (backend.Model.Protocol == BackendProtocol.Http2)
        {
            (request.Version, request.VersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        }

        try
        {
            using var response = await _http.SendAsync(request, linked.Token);
            return active is null || response.IsSuccessStatusCode ? ProbeResult.Healthy : ProbeResult.Unhealthy;
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
            return ProbeResult.Silent;
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return (e as HttpRequestException)?.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError
                ? ProbeResult.Refused
                : active is null ? ProbeResult.Healthy : ProbeResult.Unhealthy; // it said something, HTTP/1.1 or not
        }
    }
}
