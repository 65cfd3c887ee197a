using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace OpenPlatform.Hosting;

/// <summary>One line on the console for every change of a resource: what it is doing, how long it took, why it failed.</summary>
internal sealed class StartupConsole(ResourceNotificationService notifications, DistributedApplicationModel model, TimeProvider time) : BackgroundService
{
    private readonly Dictionary<string, Line> _shown = new(StringComparer.OrdinalIgnoreCase);

    private sealed record Line(string Text, long Since);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var width = model.Resources.Where(IsShown).Select(r => r.Name.Length + (r.GetReplicaCount() > 1 ? 9 : 0)).DefaultIfEmpty().Max();
        try
        {
            await foreach (var change in notifications.WatchAsync(stoppingToken))
            {
                if (IsShown(change.Resource) && !change.Snapshot.IsHidden && Describe(change) is { } text)
                {
                    Console.Out.WriteLine($"{Name(change).PadRight(width)}  {text}");
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
        var since = before?.Since ?? time.GetTimestamp();
        var text = Text(snapshot, change.Resource.HasAnnotationOfType<HealthCheckAnnotation>(), before);
        if (text == before?.Text)
        {
            return null;
        }
        // Waiting is not the resource's own time: the clock starts when it starts.
        if (snapshot.State.Text == KnownResourceStates.Starting && before?.Text != text)
        {
            since = time.GetTimestamp();
        }
        _shown[change.ResourceId] = new(text, since);
        return text is "healthy" or "running" ? $"{text} after {Seconds(time.GetElapsedTime(since))}" : text;
    }

    private string Text(CustomResourceSnapshot snapshot, bool hasChecks, Line? before)
    {
        var reason = snapshot.Properties.FirstOrDefault(p => p.Name == KnownProperties.StateReason)?.Value as string;
        var state = snapshot.State!.Text;
        var text = state switch
        {
            _ when state == KnownResourceStates.Running && hasChecks => snapshot.HealthStatus == HealthStatus.Healthy ? "healthy"
                : before is null or { Text: not ("healthy" or "unhealthy") } ? "started" : "unhealthy",
            _ when state == KnownResourceStates.Waiting && snapshot.Properties.FirstOrDefault(p => p.Name == KnownProperties.WaitingFor)?.Value is IEnumerable<string> ids =>
                $"waiting for {string.Join(", ", ids.Select(id => notifications.TryGetCurrentState(id, out var other) ? other.Resource.Name : id).Distinct())}",
            _ when state == KnownResourceStates.FailedToStart => "failed to start",
            _ when state == KnownResourceStates.NotStarted => "not started",
            _ when state == KnownResourceStates.ValueMissing => "value missing",
            _ when KnownResourceStates.TerminalStates.Contains(state) => snapshot.ExitCode switch { null or 0 => "finished", -1 => "killed", var code => $"crashed (exit code {code})" },
            _ => state.ToLowerInvariant(),
        };
        return reason is { Length: > 0 } && text is not ("healthy" or "running" or "started") ? $"{text}: {reason}" : text;
    }

    /// <summary><c>orders/7f3k2m9d</c> where there are several, else the resource's name.</summary>
    private static string Name(ResourceEvent change) =>
        change.Resource.ResourceIds().Count > 1 && change.ResourceId.StartsWith(change.Resource.Name + "-", StringComparison.OrdinalIgnoreCase)
            ? $"{change.Resource.Name}/{change.ResourceId[(change.Resource.Name.Length + 1)..]}"
            : change.Resource.Name;

    private static bool IsShown(IResource resource) => !resource.HasAnnotationOfType<HiddenAnnotation>();

    private static string Seconds(TimeSpan elapsed) => $"{elapsed.TotalSeconds:0.0} s";
}
