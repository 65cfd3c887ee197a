using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace OpenPlatform.Hosting;

/// <summary>One line on the console for every change of a resource: what it is doing, how long it took, why it failed.</summary>
internal sealed class StartupConsole(ResourceNotificationService notifications, DistributedApplicationModel model, TimeProvider time) : BackgroundService
{
    private readonly Dictionary<string, Line> _shown = new(StringComparer.OrdinalIgnoreCase);

    internal TextWriter Output { get; init; } = Console.Out;

    /// <param name="Since">When the present attempt to start began.</param>
    /// <param name="Idle">Nothing was going on: the next thing that happens begins an attempt.</param>
    private sealed record Line(string Text, long Since, bool Idle);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var width = model.Resources.Where(IsShown).Select(r => r.Name.Length + (r.GetReplicaCount() > 1 ? 9 : 0)).DefaultIfEmpty().Max();
        try
        {
            await foreach (var change in notifications.WatchAsync(stoppingToken))
            {
                if (IsShown(change.Resource) && !change.Snapshot.IsHidden && Describe(change) is { } text)
                {
                    await Output.WriteLineAsync($"{Name(change).PadRight(width)}  {text}");
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The application ends; nobody waits for lines any more.
        }
    }

    private string? Describe(ResourceEvent change)
    {
        if (change.IsRemoved)
        {
            _shown.Remove(change.ResourceId);
            return "removed";
        }
        var snapshot = change.Snapshot;
        var before = _shown.GetValueOrDefault(change.ResourceId);
        if (change.Resource is IResourceWithoutLifetime && snapshot.State?.Text is not ("ValueMissing" or "FailedToStart") || snapshot.State is null)
        {
            return null;
        }
        // A database in a server says only how it ended up: on the way there it repeats the server.
        if (Text(change, before) is not { } text || text == before?.Text || (change.Resource is IResourceWithParent && !IsDecided(snapshot)))
        {
            return null;
        }
        var since = before is null or { Idle: true } ? time.GetTimestamp() : before.Since;
        _shown[change.ResourceId] = new(text, since, IsDecided(snapshot) || snapshot.State.Text == KnownResourceStates.Waiting || snapshot.State.Text == KnownResourceStates.NotStarted || snapshot.ExitCode is not null);
        return text is "healthy" or "running" ? $"{text} after {Seconds(time.GetElapsedTime(since))}" : text;
    }

    /// <returns>Null when there is nothing worth a line.</returns>
    private string? Text(ResourceEvent change, Line? before)
    {
        var snapshot = change.Snapshot;
        var reason = Property(snapshot, KnownProperties.StateReason) is string { Length: > 0 } why ? $": {why}" : "";
        var state = snapshot.State!.Text;
        if (state == KnownResourceStates.Running)
        {
            return !change.Resource.HasAnnotationOfType<HealthCheckAnnotation>() ? "running"
                : snapshot.HealthStatus == HealthStatus.Healthy ? "healthy"
                : before is { Text: "healthy" } ? "unhealthy" + reason
                : null;
        }
        if (state == KnownResourceStates.Waiting)
        {
            return Property(snapshot, KnownProperties.WaitingFor) is IEnumerable<string> ids
                ? $"waiting for {string.Join(", ", ids.Select(id => notifications.TryGetCurrentState(id, out var other) ? other.Resource.Name : id).Distinct())}"
                : null;
        }
        var text = state == KnownResourceStates.FailedToStart ? "failed to start"
            : state == KnownResourceStates.NotStarted ? "not started"
            : state == KnownResourceStates.ValueMissing ? "value missing"
            : KnownResourceStates.TerminalStates.Contains(state) ? snapshot.ExitCode switch { null or 0 => "finished", -1 => "killed", var code => $"finished (exit code {code})" }
            : char.ToLowerInvariant(state[0]) + state[1..];
        return text + reason;
    }

    private static bool IsDecided(CustomResourceSnapshot snapshot) =>
        snapshot.HealthStatus == HealthStatus.Healthy || KnownResourceStates.TerminalStates.Contains(snapshot.State?.Text);

    private static object? Property(CustomResourceSnapshot snapshot, string name) => snapshot.Properties.FirstOrDefault(p => p.Name == name)?.Value;

    /// <summary><c>orders/7f3k2m9d</c> where there are several, else the resource's name.</summary>
    private static string Name(ResourceEvent change) =>
        change.Resource.ResourceIds().Count > 1 && change.ResourceId.StartsWith(change.Resource.Name + "-", StringComparison.OrdinalIgnoreCase)
            ? $"{change.Resource.Name}/{change.ResourceId[(change.Resource.Name.Length + 1)..]}"
            : change.Resource.Name;

    private static bool IsShown(IResource resource) => !resource.HasAnnotationOfType<HiddenAnnotation>();

    private static string Seconds(TimeSpan elapsed) => $"{elapsed.TotalSeconds:0.0} s";
}
