using System.Collections.Immutable;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>A resource that is run as processes or a container: its endpoints, its replicas, and how many of them there are.</summary>
internal sealed class RunningResource
{
    private readonly OrchestrationContext _run;
    private readonly AsyncLock _one = new();
    private readonly ImmutableList<IResource> _children;
    private readonly ResourceInstancesAnnotation _instances = new();
    private readonly TaskCompletionSource _startNow = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _awaited;

    public RunningResource(OrchestrationContext run, IResource resource, ILaunchPlanner planner, IReadOnlyList<ServedEndpoint> endpoints)
    {
        (_run, Resource, Planner, Endpoints) = (run, resource, planner, endpoints);
        _children = [.. FamilyRelations.WithDependentChildren(run.Model, resource).Skip(1)];
        resource.Annotations.Add(_instances);
        Replicas = [.. Enumerable.Range(0, resource.GetReplicaCount()).Select(NewReplica)];
        PublishAddresses();
    }

    public IResource Resource { get; }
    public ILaunchPlanner Planner { get; }
    public IReadOnlyList<ServedEndpoint> Endpoints { get; }
    public ImmutableList<Replica> Replicas { get; private set; }

    /// <summary>Why it can have no more than one replica; null where it can.</summary>
    public string? WhyNotReplicated => Resource is not ProjectResource and not ExecutableResource ? "only projects and executables have replicas"
        : Endpoints.FirstOrDefault(e => e.ServiceName is null) is { } own ? $"endpoint '{own.Annotation.Name}' is not proxied, and only one process can own a port"
        : Endpoints.FirstOrDefault(e => e.FixedTargetPort is not null) is { } fix ? $"endpoint '{fix.Annotation.Name}' has the fixed target port {fix.FixedTargetPort}, and only one process can listen there"
        : null;

    /// <summary>The first start: events, waiting for dependencies, then all replicas. Ends when DCP has them all.</summary>
    public async Task StartFirstAsync(CancellationToken ct)
    {
        try
        {
            Replicas.ForEach(r => r.Show(KnownResourceStates.Starting));
            await AnnounceStartAsync(ct);
            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(ct);
            // A person's start command ends the waiting.
            var first = await Task.WhenAny(_run.Notifications.WaitForDependenciesAsync(Resource, waiting.Token), _startNow.Task);
            await first;
            await waiting.CancelAsync();
            _awaited = true;
        }
        catch (Exception e) when (e is not OperationCanceledException || !ct.IsCancellationRequested)
        {
            OrchestrationLog.NotStarted(_run.Loggers.GetLogger(Resource), e.Message);
            Replicas.ForEach(r => r.Show(KnownResourceStates.FailedToStart, KnownResourceStateStyles.Error, e.Message));
            await EndedAsync(Replicas[0]);
            return;
        }

        await Task.WhenAll(Replicas.Select(r => r.StartAsync()));
    }

    /// <summary>A person starts one replica: at once, unless the resource never ran, which is then its first start with all that belongs to it.</summary>
    public async Task StartAsync(Replica replica, CancellationToken ct)
    {
        if (StateOf(replica) == KnownResourceStates.Waiting)
        {
            _startNow.TrySetResult();
            return;
        }

        if (!_awaited)
        {
            await StartFirstAsync(ct);
            return;
        }

        await _run.Eventing.PublishAsync(new BeforeResourceStartedEvent(Resource, _run.Services), ct);
        await replica.StartAsync();
    }

    public async Task RestartAsync(Replica replica, CancellationToken ct)
    {
        await replica.StopAsync();
        await StartAsync(replica, ct);
    }

    /// <summary>
    /// Changes how many replicas there are. New ones are in traffic when it completes; superfluous ones (youngest first) have left traffic
    /// and ended.
    /// </summary>
    /// <exception cref="InvalidOperationException">It cannot have that many, or a new one ended before it was ready.</exception>
    public async Task ScaleAsync(int replicas, CancellationToken ct)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(replicas);
        using (await _one.EnterAsync(ct))
        {
            if (replicas > 1 && WhyNotReplicated is { } reason)
            {
                throw new InvalidOperationException($"Resource '{Resource.Name}' cannot have {replicas} replicas: {reason}.");
            }

            var (added, removed) = (ImmutableList<Replica>.Empty, Replicas.Skip(replicas).ToImmutableList());
            if (replicas > Replicas.Count)
            {
                added = [.. Enumerable.Range(Replicas.Count, replicas - Replicas.Count).Select(NewReplica)];
            }

            Replicas = [.. Replicas.Take(replicas), .. added];
            PublishAddresses();
            // Before its first start there is nothing to wait for: that start takes the new ones along.
            var started = _awaited ? added : [];
            await Task.WhenAll([.. started.Select(a => StartAddedAsync(a, ct)), .. removed.Select(RemoveAsync)]);
        }
    }

    /// <summary>Stops all replicas at once.</summary>
    public Task StopAsync() => Task.WhenAll(Replicas.Select(r => r.StopAsync()));

    public Task<Launch> PrepareLaunchAsync(Replica replica, CancellationToken ct) => Planner.PlanAsync(this, replica, ct);

    public bool RestartsAfter(DcpStatus? status) =>
        Planner.RestartsAfterCrash && status is { State: not DcpStates.FailedToStart, ExitCode: not 0 }
        && !_run.IsShuttingDown
        && !_run.Model.Resources.Any(r => r.Annotations.OfType<WaitAnnotation>().Any(w => w.Resource == Resource && w.WaitType == WaitType.WaitForCompletion));

    /// <summary>Endpoint name → where a process with these ports is reached past the shared address.</summary>
    public IReadOnlyDictionary<string, Uri> AddressesOf(IReadOnlyDictionary<string, int> ports) =>
        Endpoints.Where(e => e.ServiceName is not null && ports.ContainsKey(e.ServiceName))
            .ToDictionary(e => e.Annotation.Name, e => new Uri($"{e.Annotation.UriScheme}://localhost:{ports[e.ServiceName!]}"), StringComparer.OrdinalIgnoreCase);

    public void PublishAddresses() => _instances.Instances = [.. Replicas.Select(r => new ResourceInstance(r.Id, AddressesOf(r.Ports)) { ProbedHealth = r.HealthOf })];

    /// <summary>Tells the world, and children without a life of their own (a database in its server), that a replica has ended.</summary>
    public async Task EndedAsync(Replica replica)
    {
        replica.Publish();
        if (_run.Notifications.TryGetCurrentState(replica.Id, out var last))
        {
            foreach (var resource in _children.Prepend(Resource))
            {
                await _run.Eventing.PublishAsync(new ResourceStoppedEvent(resource, _run.Services, last), CancellationToken.None);
            }
        }
    }

    /// <summary>A child without a process of its own is what its parent is.</summary>
    public async Task ShowChildrenAsync(CustomResourceSnapshot parent)
    {
        foreach (var child in _children)
        {
            await _run.Notifications.PublishUpdateAsync(child, s => s with { State = parent.State, StartTimeStamp = parent.StartTimeStamp, StopTimeStamp = parent.StopTimeStamp });
        }
    }

    private async Task AnnounceStartAsync(CancellationToken ct)
    {
        foreach (var resource in _children.Prepend(Resource).OfType<IResourceWithConnectionString>())
        {
            var connection = await resource.GetConnectionStringAsync(ct);
            await _run.Notifications.PublishUpdateAsync(resource, s => s with { Properties = s.Properties.Set(KnownProperties.ConnectionString, connection, sensitive: true) });
            await _run.Eventing.PublishAsync(new ConnectionStringAvailableEvent(resource, _run.Services), ct);
        }

        await _run.Eventing.PublishAsync(new BeforeResourceStartedEvent(Resource, _run.Services), ct);
    }

    private static async Task StartAddedAsync(Replica replica, CancellationToken ct)
    {
        await replica.StartAsync();
        await replica.Ready.WaitAsync(ct);
    }

    private async Task RemoveAsync(Replica replica)
    {
        await replica.StopAsync();
        _run.Replicas.TryRemove(replica.Id, out _);
        _run.Notifications.Remove(Resource, replica.Id);
        _run.Loggers.Complete(replica.Id);
        replica.Dispose();
    }

    private string? StateOf(Replica replica) => _run.Notifications.TryGetCurrentState(replica.Id, out var now) ? now.Snapshot.State?.Text : null;

    private Replica NewReplica(int index)
    {
        // Eight letters, as Aspire names them: telemetry is joined to the resource by the part after the name.
        var replica = new Replica(_run, this, $"{Resource.Name}-{RandomNumberGenerator.GetString("abcdefghijkmnpqrstuvwxyz", 8)}".ToLowerInvariant(), index);
        _run.Replicas[replica.Id] = replica;
        return replica;
    }
}
