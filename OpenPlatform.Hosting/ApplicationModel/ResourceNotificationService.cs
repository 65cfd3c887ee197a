using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.ApplicationModel;

public class ResourceEvent(IResource resource, string resourceId, CustomResourceSnapshot snapshot)
{
    public IResource Resource { get; } = resource;
    public string ResourceId { get; } = resourceId;
    public CustomResourceSnapshot Snapshot { get; } = snapshot;

    /// <summary>The instance is gone for good (scaled in); this is the last event about it.</summary>
    internal bool IsRemoved { get; init; }
}

public sealed class ResourceNotificationServiceOptions
{
    /// <summary>With a dashboard, somebody may start again what failed, so waiting goes on; without one it stops.</summary>
    public WaitBehavior DefaultWaitBehavior { get; set; }
}

/// <summary>The state of every resource instance: publish it, watch it, wait for it.</summary>
public class ResourceNotificationService(ILogger<ResourceNotificationService> logger, IHostApplicationLifetime hostApplicationLifetime, IServiceProvider serviceProvider,
    ResourceLoggerService resourceLoggerService) : IDisposable
{
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.OrdinalIgnoreCase);
    private readonly Lock _watchers = new();
    private ImmutableList<Channel<ResourceEvent>> _channels = [];
    private readonly CancellationTokenSource _disposing = CancellationTokenSource.CreateLinkedTokenSource(hostApplicationLifetime.ApplicationStopped);

    private sealed class Entry(IResource resource)
    {
        internal readonly Lock Lock = new();
        internal IResource Resource => resource;
        internal CustomResourceSnapshot? Snapshot;
    }

    internal WaitBehavior DefaultWaitBehavior { get; set; } =
        serviceProvider.GetService<Microsoft.Extensions.Options.IOptions<ResourceNotificationServiceOptions>>()?.Value.DefaultWaitBehavior ?? WaitBehavior.StopOnResourceUnavailable;

    /// <summary>Changes the snapshot of every instance of the resource.</summary>
    public async Task PublishUpdateAsync(IResource resource, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        foreach (var id in resource.ResourceIds())
        {
            await PublishUpdateAsync(resource, id, stateFactory);
        }
    }

    /// <summary>Changes the snapshot of one instance and tells all watchers.</summary>
    public Task PublishUpdateAsync(IResource resource, string resourceId, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        var entry = _entries.GetOrAdd(resourceId, _ => new(resource));
        lock (entry.Lock)
        {
            var before = entry.Snapshot ?? InitialSnapshot(resource);
            var after = stateFactory(before);
            if (after.State?.Text != KnownResourceStates.Running && before.State?.Text == KnownResourceStates.Running)
            {
                // A stopped instance proves its health anew when it runs again.
                after = after with { ResourceReadyEvent = null, HealthReports = UnknownHealth(resource) };
            }
            after = WithCommands(resource, after) with { Version = before.Version + 1 };
            entry.Snapshot = after;
            if (before.State?.Text != after.State?.Text && logger.IsEnabled(LogLevel.Debug))
            {
                NotificationLog.StateChanged(logger, resourceId, before.State?.Text, after.State?.Text);
            }
            Tell(new(resource, resourceId, after));
        }
        return Task.CompletedTask;
    }

    /// <summary>Forgets an instance that will not come back (scaled in).</summary>
    internal void Remove(IResource resource, string resourceId)
    {
        if (_entries.TryRemove(resourceId, out var entry))
        {
            lock (entry.Lock)
            {
                Tell(new(resource, resourceId, entry.Snapshot ?? InitialSnapshot(resource)) { IsRemoved = true });
            }
        }
    }

    public bool TryGetCurrentState(string resourceId, [NotNullWhen(true)] out ResourceEvent? resourceEvent)
    {
        // A name stands for its only instance, or its first one.
        var found = _entries.TryGetValue(resourceId, out var entry)
            ? KeyValuePair.Create(resourceId, entry)
            : _entries.Where(e => string.Equals(e.Value.Resource.Name, resourceId, StringComparison.OrdinalIgnoreCase)).OrderBy(e => e.Key, StringComparer.Ordinal).FirstOrDefault();
        resourceEvent = found.Value?.Snapshot is { } snapshot ? new(found.Value.Resource, found.Key, snapshot) : null;
        return resourceEvent is not null;
    }

    /// <summary>The present state of every instance, then every change, until the application ends.</summary>
    public async IAsyncEnumerable<ResourceEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var channel = Channel.CreateUnbounded<ResourceEvent>();
        lock (_watchers)
        {
            _channels = _channels.Add(channel);
        }
        var seen = new Dictionary<string, long>(StringComparer.OrdinalIgnoreCase);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token);
        try
        {
            foreach (var (id, entry) in _entries)
            {
                if (entry.Snapshot is { } snapshot)
                {
                    seen[id] = snapshot.Version;
                    yield return new(entry.Resource, id, snapshot);
                }
            }
            await foreach (var change in channel.Reader.ReadAllAsync(stop.Token))
            {
                // What came in while the present state was listed is not told twice.
                if (change.IsRemoved)
                {
                    seen.Remove(change.ResourceId);
                    yield return change;
                }
                else if (!seen.TryGetValue(change.ResourceId, out var version) || change.Snapshot.Version > version)
                {
                    yield return change;
                }
            }
        }
        finally
        {
            lock (_watchers)
            {
                _channels = _channels.Remove(channel);
            }
        }
    }

    public Task WaitForResourceAsync(string resourceName, string? targetState = null, CancellationToken cancellationToken = default) =>
        WaitForResourceAsync(resourceName, [targetState ?? KnownResourceStates.Running], cancellationToken);

    /// <returns>The state that was reached.</returns>
    public async Task<string> WaitForResourceAsync(string resourceName, IEnumerable<string> targetStates, CancellationToken cancellationToken = default)
    {
        var states = targetStates.ToArray();
        var reached = await WaitAsync(resourceName, e => states.Contains(e.Snapshot.State?.Text), $"to reach {string.Join(" or ", states)}", cancellationToken);
        return reached.Snapshot.State!.Text;
    }

    public Task<ResourceEvent> WaitForResourceAsync(string resourceName, Func<ResourceEvent, bool> predicate, CancellationToken cancellationToken = default) =>
        WaitAsync(resourceName, predicate, "to meet a condition", cancellationToken);

    public Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, CancellationToken cancellationToken = default) =>
        WaitForResourceHealthyAsync(resourceName, DefaultWaitBehavior, cancellationToken);

    /// <summary>Waits until an instance is healthy and the subscribers of its <see cref="ResourceReadyEvent"/> have run.</summary>
    /// <exception cref="DistributedApplicationException">No such resource, or it failed (with <see cref="WaitBehavior.StopOnResourceUnavailable"/>).</exception>
    public async Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, WaitBehavior waitBehavior, CancellationToken cancellationToken = default)
    {
        if (serviceProvider.GetService<DistributedApplicationModel>() is { } model && !model.Resources.TryGetByName(resourceName, out _))
        {
            throw new DistributedApplicationException($"There is no resource '{resourceName}' to wait for.");
        }
        var healthy = await WaitAsync(resourceName,
            e => e.Snapshot.HealthStatus == HealthStatus.Healthy || (waitBehavior == WaitBehavior.StopOnResourceUnavailable && HasFailed(e.Snapshot)),
            "to become healthy", cancellationToken);
        if (healthy.Snapshot.HealthStatus != HealthStatus.Healthy)
        {
            throw new DistributedApplicationException($"Resource '{healthy.ResourceId}' does not become healthy: it is {Describe(healthy.Snapshot)}.");
        }
        return await WaitUntilReadyAsync(healthy.Resource, healthy.ResourceId, cancellationToken);
    }

    /// <summary>Waits as the resource's <see cref="WaitAnnotation"/>s say; meanwhile its state is Waiting.</summary>
    /// <exception cref="DistributedApplicationException">A dependency failed in a way that waiting cannot mend.</exception>
    public async Task WaitForDependenciesAsync(IResource resource, CancellationToken cancellationToken)
    {
        var waits = resource.Annotations.OfType<WaitAnnotation>().Where(w => w.Resource is not IResourceWithoutLifetime).ToArray();
        if (waits.Length == 0)
        {
            return;
        }
        var pending = waits.SelectMany(w => w.Resource.ResourceIds().Select(id => (Wait: w, Id: id))).ToList();
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await ShowAsync();
        try
        {
            var tasks = pending.ToArray().Select(async p =>
            {
                await WaitForDependencyAsync(resource, p.Wait, p.Id, giveUp.Token);
                lock (pending)
                {
                    pending.Remove(p);
                }
                await ShowAsync();
            }).ToArray();
            // One that cannot come any more decides; nobody waits for the others then.
            await foreach (var task in Task.WhenEach(tasks).WithCancellation(CancellationToken.None))
            {
                if (!task.IsCompletedSuccessfully)
                {
                    await giveUp.CancelAsync();
                    await Task.WhenAll(tasks).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    await task;
                }
            }
        }
        finally
        {
            await PublishUpdateAsync(resource, s => s with { Properties = s.Properties.Set(KnownProperties.WaitingFor, value: null) });
        }

        Task ShowAsync()
        {
            string[] names;
            lock (pending)
            {
                names = [.. pending.Select(p => p.Id).Distinct()];
            }
            var notStarted = resource.HasAnnotationOfType<ExplicitStartupAnnotation>() ? null : KnownResourceStates.NotStarted;
            return PublishUpdateAsync(resource, s => names.Length > 0 && (s.State is null || s.State.Text == notStarted || s.State.Text == KnownResourceStates.Starting || s.State.Text == KnownResourceStates.Waiting)
                ? s with { State = KnownResourceStates.Waiting, Properties = s.Properties.Set(KnownProperties.WaitingFor, names) }
                : s);
        }
    }

    private async Task WaitForDependencyAsync(IResource resource, WaitAnnotation wait, string id, CancellationToken cancellationToken)
    {
        var own = resourceLoggerService.GetLogger(resource);
        NotificationLog.Waiting(own, id, wait.WaitType);
        var behavior = wait.WaitBehavior ?? DefaultWaitBehavior;
        if (wait.WaitType == WaitType.WaitForCompletion)
        {
            var ended = await WaitAsync(wait.Resource.Name, e => e.ResourceId == id && (HasEnded(e.Snapshot) || e.Snapshot.ExitCode is not null), "to complete", cancellationToken);
            if (ended.Snapshot.State?.Text == KnownResourceStates.FailedToStart || (ended.Snapshot.ExitCode is { } code && code != wait.ExitCode))
            {
                throw new DistributedApplicationException(
                    $"Resource '{resource.Name}' does not start: it waits for '{id}' to complete with exit code {wait.ExitCode}, but that is {Describe(ended.Snapshot)}.");
            }
        }
        else
        {
            var running = await WaitAsync(wait.Resource.Name,
                e => e.ResourceId == id && (e.Snapshot.State?.Text == KnownResourceStates.Running || (behavior == WaitBehavior.StopOnResourceUnavailable && HasFailed(e.Snapshot))),
                "to run", cancellationToken);
            if (running.Snapshot.State?.Text != KnownResourceStates.Running)
            {
                throw new DistributedApplicationException($"Resource '{resource.Name}' does not start: it waits for '{id}', but that is {Describe(running.Snapshot)}.");
            }
            if (wait.WaitType == WaitType.WaitUntilHealthy)
            {
                await WaitUntilReadyAsync(wait.Resource, id, cancellationToken);
            }
        }
        NotificationLog.Waited(own, id);
    }

    private async Task<ResourceEvent> WaitUntilReadyAsync(IResource resource, string id, CancellationToken cancellationToken)
    {
        var ready = await WaitAsync(resource.Name, e => e.ResourceId == id && e.Snapshot.HealthStatus == HealthStatus.Healthy && e.Snapshot.ResourceReadyEvent is not null, "to be ready", cancellationToken);
        await ready.Snapshot.ResourceReadyEvent!.EventTask.WaitAsync(cancellationToken);
        return ready;
    }

    private async Task<ResourceEvent> WaitAsync(string resourceName, Func<ResourceEvent, bool> predicate, string purpose, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var change in WatchAsync(cancellationToken))
            {
                if (!change.IsRemoved && string.Equals(change.Resource.Name, resourceName, StringComparison.OrdinalIgnoreCase) && predicate(change))
                {
                    return change;
                }
            }
            throw new OperationCanceledException(cancellationToken);
        }
        catch (OperationCanceledException error)
        {
            throw new OperationCanceledException($"Waiting for resource '{resourceName}' {purpose} was given up. {Report(resourceName)}", error, cancellationToken);
        }
    }

    private string Report(string resourceName)
    {
        if (!TryGetCurrentState(resourceName, out var current))
        {
            return "It has shown no state yet.";
        }
        var report = new StringBuilder("It is ").Append(Describe(current.Snapshot)).Append('.');
        foreach (var health in current.Snapshot.HealthReports)
        {
            report.Append($" Health check '{health.Name}': {health.Status?.ToString() ?? "no answer yet"}{(health.Description is { Length: > 0 } text ? $" ({text})" : "")}.");
        }
        if (current.Snapshot.Properties.FirstOrDefault(p => p.Name == KnownProperties.WaitingFor)?.Value is IEnumerable<string> others)
        {
            report.Append($" It waits for {string.Join(", ", others.Select(o => TryGetCurrentState(o, out var e) ? $"{o} ({Describe(e.Snapshot)})" : o))}.");
        }
        return report.ToString();
    }

    private static string Describe(CustomResourceSnapshot snapshot) =>
        (snapshot.State?.Text ?? "without state") +
        (snapshot.ExitCode is { } code ? $" with exit code {code}" : "") +
        (snapshot.HealthStatus is { } health and not HealthStatus.Healthy ? $", {health}" : "") +
        (snapshot.Properties.FirstOrDefault(p => p.Name == KnownProperties.StateReason)?.Value is string reason ? $": {reason}" : "");

    private static bool HasEnded(CustomResourceSnapshot snapshot) => KnownResourceStates.TerminalStates.Contains(snapshot.State?.Text);

    private static bool HasFailed(CustomResourceSnapshot snapshot) => HasEnded(snapshot) || snapshot.State?.Text == KnownResourceStates.RuntimeUnhealthy;

    private static CustomResourceSnapshot InitialSnapshot(IResource resource)
    {
        var initial = resource.TryGetLastAnnotation<ResourceSnapshotAnnotation>(out var given)
            ? given.InitialSnapshot
            : new() { ResourceType = resource.ResourceType(), Properties = [] };
        var relationships = resource.Annotations.OfType<ResourceRelationshipAnnotation>().Select(r => new RelationshipSnapshot(r.Resource.Name, r.Type));
        if (resource is IResourceWithParent child)
        {
            relationships = relationships.Prepend(new(child.Parent.Name, KnownRelationshipTypes.Parent));
        }
        resource.TryGetLastAnnotation<ResourceIconAnnotation>(out var icon);
        return initial with
        {
            CreationTimeStamp = initial.CreationTimeStamp ?? DateTime.UtcNow,
            Relationships = [.. initial.Relationships.Concat(relationships).Distinct()],
            HealthReports = UnknownHealth(resource),
            IsHidden = initial.IsHidden || resource.HasAnnotationOfType<HiddenAnnotation>(),
            IconName = initial.IconName ?? icon?.IconName,
            IconVariant = initial.IconVariant ?? icon?.IconVariant,
        };
    }

    private static ImmutableArray<HealthReportSnapshot> UnknownHealth(IResource resource) =>
        [.. resource.Annotations.OfType<HealthCheckAnnotation>().Select(h => h.Key).Distinct().Select(key => new HealthReportSnapshot(key, null, null, null))];

    private CustomResourceSnapshot WithCommands(IResource resource, CustomResourceSnapshot snapshot)
    {
        var context = new UpdateCommandStateContext { ResourceSnapshot = snapshot, ServiceProvider = serviceProvider };
        var commands = resource.Annotations.OfType<ResourceCommandAnnotation>().GroupBy(c => c.Name).Select(g => g.Last())
            .Select(c => new ResourceCommandSnapshot(c.Name, c.UpdateState(context), c.DisplayName, c.DisplayDescription, c.Parameter, c.ConfirmationMessage, c.IconName, c.IconVariant, c.IsHighlighted))
            .ToImmutableArray();
        return commands.IsEmpty || commands.SequenceEqual(snapshot.Commands) ? snapshot : snapshot with { Commands = commands };
    }

    private void Tell(ResourceEvent change)
    {
        foreach (var channel in Volatile.Read(ref _channels))
        {
            channel.Writer.TryWrite(change);
        }
    }

    public void Dispose()
    {
        _disposing.Cancel();
        GC.SuppressFinalize(this);
    }
}

internal static partial class NotificationLog
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "{ResourceId}: {Before} -> {After}")]
    internal static partial void StateChanged(ILogger logger, string resourceId, string? before, string? after);

    [LoggerMessage(Level = LogLevel.Information, Message = "Waiting for '{ResourceId}' ({WaitType})")]
    internal static partial void Waiting(ILogger logger, string resourceId, WaitType waitType);

    [LoggerMessage(Level = LogLevel.Information, Message = "Finished waiting for '{ResourceId}'")]
    internal static partial void Waited(ILogger logger, string resourceId);
}
