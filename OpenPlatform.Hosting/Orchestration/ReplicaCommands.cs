using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>The buttons of a resource. Each acts on the replica whose row was clicked.</summary>
internal static class ReplicaCommands
{
    private const string Frozen = nameof(Frozen);

    public static void AddTo(RunningResource running)
    {
        if (running.Resource.HasAnnotationOfType<HiddenAnnotation>())
        {
            return;
        }

        Add(KnownResourceCommands.StartCommand, "Start", "Play", highlighted: true, s => s switch
        {
            _ when IsOver(s) || s == KnownResourceStates.Waiting => ResourceCommandState.Enabled,
            null => ResourceCommandState.Enabled,
            _ when s == KnownResourceStates.Starting => ResourceCommandState.Disabled,
            _ => ResourceCommandState.Hidden,
        }, (replica, ct) => running.StartAsync(replica, ct));
        Add(KnownResourceCommands.StopCommand, "Stop", "Stop", highlighted: true, s => s switch
        {
            _ when s == KnownResourceStates.Stopping => ResourceCommandState.Disabled,
            _ when IsOver(s) || s is null || s == KnownResourceStates.Waiting || s == KnownResourceStates.Starting => ResourceCommandState.Hidden,
            _ => ResourceCommandState.Enabled,
        }, (replica, ct) => replica.StopAsync().WaitAsync(ct));
        Add(KnownResourceCommands.RestartCommand, "Restart", "ArrowCounterclockwise", highlighted: false,
            s => s == KnownResourceStates.Running || s == Frozen ? ResourceCommandState.Enabled : ResourceCommandState.Disabled,
            (replica, ct) => running.RestartAsync(replica, ct));

        if (!running.Resource.HasAnnotationOfType<ReplicaAnnotation>() || running.WhyNotReplicated is not null)
        {
            return;
        }

        Add("scale-out", "Scale out", "Add", highlighted: false, s => WhileRunning(s), (_, ct) => running.ScaleAsync(running.Replicas.Count + 1, ct));
        Add("scale-in", "Scale in", "Subtract", highlighted: false, s => running.Replicas.Count > 1 ? WhileRunning(s) : ResourceCommandState.Disabled,
            (_, ct) => running.ScaleAsync(Math.Max(1, running.Replicas.Count - 1), ct));
        Add("kill-one", "Kill one", "PlugDisconnected", highlighted: false, s => WhileRunning(s), (replica, _) => Told(replica.Kill()));
        if (!OperatingSystem.IsWindows())
        {
            Add("freeze-one", "Freeze one", "Pause", highlighted: false, s => s == Frozen ? ResourceCommandState.Hidden : WhileRunning(s), (replica, _) => Told(replica.Freeze()));
            Add("thaw-one", "Thaw", "Play", highlighted: false, s => s == Frozen ? ResourceCommandState.Enabled : ResourceCommandState.Hidden, (replica, _) => Told(replica.Thaw()));
        }

        void Add(string name, string display, string icon, bool highlighted, Func<string?, ResourceCommandState> state, Func<Replica, CancellationToken, Task> act) =>
            running.Resource.Annotations.Add(new ResourceCommandAnnotation(name, display, c => state(c.ResourceSnapshot.State?.Text),
                async c =>
                {
                    if (running.Replicas.Find(r => r.Id == c.ResourceName) is not { } replica)
                    {
                        return CommandResults.Failure($"There is no '{c.ResourceName}' any more.");
                    }

                    await act(replica, c.CancellationToken);
                    return CommandResults.Success();
                },
                displayDescription: null, parameter: null, confirmationMessage: null, icon, IconVariant.Filled, highlighted));
    }

    private static ResourceCommandState WhileRunning(string? state) =>
        state == KnownResourceStates.Running || state == Frozen ? ResourceCommandState.Enabled : ResourceCommandState.Disabled;

    private static bool IsOver(string? state) => state == KnownResourceStates.NotStarted || KnownResourceStates.TerminalStates.Contains(state!);

    private static Task Told(bool done) => done ? Task.CompletedTask : throw new InvalidOperationException("There is no running process.");
}
