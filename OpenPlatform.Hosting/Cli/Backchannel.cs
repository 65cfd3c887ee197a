using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenPlatform.Hosting.Dashboard;

namespace OpenPlatform.Hosting.Cli;

/// <summary>The line to <c>aspire run</c> and <c>aspire publish</c>, which started this process and told it a socket (<see cref="PathSetting"/>).</summary>
internal sealed partial class Backchannel(
    IConfiguration configuration,
    IServiceProvider services,
    ResourceNotificationService notifications,
    IPublishingActivityReporter publishing,
    IHostApplicationLifetime lifetime,
    ILogger<Backchannel> logger) : IDistributedApplicationEventingSubscriber, IAsyncDisposable
{
    internal const string PathSetting = "ASPIRE_BACKCHANNEL_PATH";
    private static readonly TimeSpan FarewellLimit = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _closing = new();
    private readonly TaskCompletionSource _stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _path;
    private Socket? _listener;
    private JsonRpcConnection? _connection;
    private Task _serving = Task.CompletedTask;

    /// <summary>Listens before anything else starts: the tool shows its user what takes time.</summary>
    public Task SubscribeAsync(IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken)
    {
        if (configuration[PathSetting] is not { Length: > 0 } path)
        {
            return Task.CompletedTask;
        }
        try
        {
            File.Delete(path); // left over by a process that was killed
            _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            _listener.Bind(new UnixDomainSocketEndPoint(path));
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }
            _listener.Listen(1);
            _path = path;
        }
        catch (Exception error) when (error is SocketException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new DistributedApplicationException($"The Aspire CLI named a socket that cannot be listened on: {PathSetting}={path} ({error.Message})", error);
        }
        _serving = Task.Run(ServeAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    private async Task ServeAsync()
    {
        try
        {
            using var client = await _listener!.AcceptAsync(_closing.Token);
            await using var stream = new NetworkStream(client);
            _connection = new(stream, InvokeAsync);
            await _connection.RunAsync(_closing.Token);
            if (!_stopRequested.Task.IsCompleted && !_closing.IsCancellationRequested)
            {
                // Nobody else would end this process.
                ToolGone(logger);
                lifetime.StopApplication();
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It ends before anybody called.
        }
    }

    private async Task<object?> InvokeAsync(string method, CancellationToken cancellationToken)
    {
        switch (method)
        {
            case "GetCapabilitiesAsync": return new[] { "baseline.v2" };
            case "GetDashboardUrlsAsync": return await DashboardUrlsAsync(cancellationToken);
            // A sequence outlives the request that began it.
            case "GetResourceStatesAsync": return ResourceStatesAsync(CancellationToken.None);
            case "GetPublishingActivitiesAsync": return PublishingActivitiesAsync(CancellationToken.None);
            // The tool reads the console as well, where the same lines stand.
            case "GetAppHostLogEntriesAsync": return AsyncEnumerable.Empty<object>();
            case "NotifyAppHostReadyAsync": return null;
            case "RequestStopAsync":
                _stopRequested.TrySetResult();
                // Sequences end before the application does; the answer goes out before the process.
                _connection?.EndSequences();
                lifetime.StopApplication();
                return null;
            default: throw new JsonRpcException(JsonRpcException.MethodNotFound, $"This AppHost has no method {method}.");
        }
    }

    /// <summary>Waits until the dashboard answers, or is known not to.</summary>
    private async Task<object> DashboardUrlsAsync(CancellationToken cancellationToken)
    {
        if (services.GetService<DashboardSettings>() is not { } dashboard)
        {
            return new { DashboardHealthy = false };
        }
        var state = await notifications.WaitForResourceAsync(DashboardResource.Name,
            e => e.Snapshot.HealthStatus == HealthStatus.Healthy || KnownResourceStates.TerminalStates.Contains(e.Snapshot.State?.Text), cancellationToken);
        return state.Snapshot.HealthStatus == HealthStatus.Healthy
            ? new { DashboardHealthy = true, BaseUrlWithLoginToken = dashboard.LoginUrl }
            : new { DashboardHealthy = false };
    }

    private async IAsyncEnumerable<object> ResourceStatesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var change in notifications.WatchAsync(cancellationToken))
        {
            if (change.Resource.Name != DashboardResource.Name && !change.IsRemoved)
            {
                yield return new
                {
                    Resource = change.Resource.Name,
                    Type = change.Snapshot.ResourceType,
                    State = change.Snapshot.State?.Text ?? "Unknown",
                    Endpoints = change.Resource.Annotations.OfType<EndpointAnnotation>().Select(e => e.AllocatedEndpoint?.UriString).OfType<string>().ToArray(),
                    Health = change.Snapshot.HealthStatus?.ToString(),
                };
            }
        }
    }

    private async IAsyncEnumerable<object> PublishingActivitiesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var activity in publishing.ReadAllAsync(cancellationToken))
        {
            yield return new
            {
                Type = activity.Type switch { PublishingActivityType.Step => "step", PublishingActivityType.Task => "task", _ => "publish-complete" },
                Data = new
                {
                    activity.Id,
                    activity.StatusText,
                    CompletionState = activity.State.ToString(),
                    activity.StepId,
                    activity.CompletionMessage,
                    // Texts hold paths and names, no markup.
                    EnableMarkdown = false,
                },
            };
        }
    }

    public async ValueTask DisposeAsync()
    {
        _connection?.EndSequences();
        if (_stopRequested.Task.IsCompleted)
        {
            // The client has its answer, and closes.
            await Task.WhenAny(_serving, Task.Delay(FarewellLimit));
        }
        await _closing.CancelAsync();
        _listener?.Dispose();
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_connection is { } connection)
        {
            await connection.DisposeAsync();
        }
        if (_path is { } path)
        {
            File.Delete(path);
        }
        _closing.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The Aspire CLI has gone without a word; stopping")]
    private static partial void ToolGone(ILogger logger);
}
