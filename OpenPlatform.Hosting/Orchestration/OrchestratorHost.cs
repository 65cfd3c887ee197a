using System.Runtime.InteropServices;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>Brings the whole application up in order, and takes it down in the opposite one.</summary>
internal sealed class OrchestratorHost(
    OrchestrationContext run, IEngine engine, SessionFolder folder, LaunchPlannerFactory planners,
    IConfiguration configuration, IHostApplicationLifetime lifetime) : IHostedLifecycleService, IAsyncDisposable
{
    // The whole end has 15 s: DCP needs up to 8 s when a process ignores SIGTERM.
    private static readonly TimeSpan OrderlyStopLimit = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan CleanupLimit = TimeSpan.FromSeconds(20);

    private IReadOnlyList<RunningResource> _resources = [];
    private Task _watching = Task.CompletedTask;
    private bool _started;
    private bool _stopped;
    private bool _gone;

    public RunningResource? Find(string name) => _resources.FirstOrDefault(r => string.Equals(r.Resource.Name, name, StringComparison.OrdinalIgnoreCase));

    // Starting takes as long as the slowest resource waits: everybody else's services (dashboard, back channel) are up before it begins,
    // and stay up while it stops.
    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        try
        {
            // 1. What is to run, and whether its fixed ports are free: the cheapest way to fail comes first.
            await PrepareAsync(cancellationToken);
            EndpointAllocation.CheckFixedPorts(_resources);
            foreach (var resource in run.Model.Resources)
            {
                await run.Notifications.PublishUpdateAsync(resource, s => resource is IResourceWithParent child
                    ? s with { Properties = s.Properties.Set(KnownProperties.ParentName, child.Parent.ResourceIds()[0]) }
                    : s);
                await run.Eventing.PublishAsync(new InitializeResourceEvent(resource, run.Eventing, run.Loggers, run.Notifications, run.Services),
                    Aspire.Hosting.Eventing.EventDispatchBehavior.NonBlockingConcurrent, cancellationToken);
            }

            // 2. DCP, bound to the life of this process.
            var paths = await engine.LocateAsync(cancellationToken);
            run.Dcp = await DcpProcess.StartAsync(paths.DcpPath, folder, Environment.ProcessId, ContainerRuntime.Chosen(configuration), cancellationToken);
            _started = true;
            _watching = Task.WhenAll(WatchAsync<DcpExecutable>(e => e.Status), WatchAsync<DcpContainer>(c => c.Status));

            // 3. Addresses before processes: every reference resolves then.
            if (_resources.Any(r => r.Planner is ContainerPlanner))
            {
                await run.Dcp.CreateAsync(ContainerPlanner.Network(run.Options), cancellationToken);
            }

            await EndpointAllocation.AllocateAsync(run, _resources, cancellationToken);

            // 4. Each resource by itself, as soon as what it waits for is there. What waits for a person does not run.
            await Task.WhenAll(_resources.Where(r => !r.Resource.HasAnnotationOfType<ExplicitStartupAnnotation>()).Select(r => r.StartFirstAsync(cancellationToken)))
                .WaitAsync(cancellationToken);
            await run.Eventing.PublishAsync(new AfterResourcesCreatedEvent(run.Services, run.Model), cancellationToken);
        }
        catch
        {
            await StoppingAsync(CancellationToken.None);
            throw;
        }
    }

    /// <summary>
    /// Stops who needs others before those others (Postgres ends only when its clients have gone), then lets DCP clean up and end.
    /// A second Ctrl-C, or the end of the host's patience, stops everything at once.
    /// </summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (_stopped)
        {
            return;
        }

        (_stopped, run.IsShuttingDown) = (true, true);
        using var atOnce = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var second = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal =>
        {
            signal.Cancel = true;
            atOnce.Cancel();
        });
        if (_gone)
        {
            // DCP's watchdogs end the processes unless they were killed with it.
            foreach (var replica in run.Replicas.Values)
            {
                replica.KillOrphan();
            }
        }
        else if (_started)
        {
            await StopInOrderAsync(atOnce.Token);
            await EndDcpAsync(atOnce.Token);
        }

        await run.AbandonAsync();
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        folder.Dispose();
    }

    public async ValueTask DisposeAsync() => await StoppingAsync(CancellationToken.None);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => StoppingAsync(cancellationToken);

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task PrepareAsync(CancellationToken ct)
    {
        var resources = new List<RunningResource>();
        foreach (var resource in run.Model.Resources.Where(FamilyRelations.IsRun).ToArray())
        {
            var planner = await planners.ForAsync(resource, ct);
            var running = new RunningResource(run, resource, planner, EndpointAllocation.Serve(run, resource, proxyless: planner is LocalServerPlanner));
            if (running.Replicas.Count > 1 && running.WhyNotReplicated is { } reason)
            {
                throw new DistributedApplicationException($"Resource '{resource.Name}' cannot have {running.Replicas.Count} replicas: {reason}.");
            }

            ReplicaCommands.AddTo(running);
            if (resource.HasAnnotationOfType<ExplicitStartupAnnotation>())
            {
                running.Replicas.ForEach(r => r.Show(KnownResourceStates.NotStarted));
            }

            resources.Add(running);
        }

        // The dashboard first: whoever looks sees the others come.
        _resources = [.. resources.OrderByDescending(r => r.Resource.HasAnnotationOfType<HiddenAnnotation>())];
    }

    private async Task WatchAsync<T>(Func<T, DcpStatus?> status) where T : DcpObject, IDcpKind
    {
        try
        {
            await foreach (var change in run.Dcp.WatchAsync<T>(run.Abandon))
            {
                if (run.Replicas.TryGetValue(change.Object.Metadata.Name, out var replica) && change.Object.Metadata.Uid is { } uid)
                {
                    // An object that was deleted has ended, whatever it said last.
                    replica.Observe(uid, change.Type == "DELETED" && !DcpStates.IsFinal(status(change.Object)?.State)
                        ? (status(change.Object) ?? new()) with { State = KnownResourceStates.Finished }
                        : status(change.Object) ?? new());
                }
            }
        }
        catch (DcpException) when (!run.IsShuttingDown)
        {
            _gone = true;
            OrchestrationLog.OrchestratorGone(run.Logger);
            lifetime.StopApplication();
        }
    }

    private async Task StopInOrderAsync(CancellationToken ct)
    {
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(OrderlyStopLimit);
            foreach (var step in FamilyRelations.StopOrder(run.Model))
            {
                // The dashboard goes last, with DCP: until then it shows the others going.
                var now = _resources.Where(r => step.Contains(r.Resource) && !r.Resource.HasAnnotationOfType<HiddenAnnotation>());
                await Task.WhenAll(now.Select(r => r.StopAsync())).WaitAsync(limit.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or DcpException or HttpRequestException or TimeoutException)
        {
            if (!ct.IsCancellationRequested)
            {
                OrchestrationLog.OrderlyStopGivenUp(run.Logger, e);
            }
        }
    }

    private async Task EndDcpAsync(CancellationToken atOnce)
    {
        using var limit = new CancellationTokenSource(CleanupLimit);
        try
        {
            if (!atOnce.IsCancellationRequested)
            {
                await run.Dcp.SetExecutionAsync(new("CleaningResources"), limit.Token);
                while (!atOnce.IsCancellationRequested && (await run.Dcp.GetExecutionAsync(limit.Token)).Status != "CleanupComplete")
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(100), limit.Token);
                }
            }

            await run.Dcp.SetExecutionAsync(new("Stopping", "Full"), limit.Token);
            // DCP deletes the folder as its last act.
            while (!atOnce.IsCancellationRequested && Directory.Exists(folder.Path))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), limit.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or DcpException or HttpRequestException or IOException)
        {
            // Its end of this process makes DCP do the rest.
            OrchestrationLog.EndUnconfirmed(run.Logger, e);
        }
    }
}
