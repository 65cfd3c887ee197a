using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Logging;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>
/// One running copy of a resource under one lasting name. It starts, is restarted with growing pauses when it crashes (DCP restarts
/// nothing), and stops when told to.
/// </summary>
internal sealed class Replica(OrchestrationContext run, RunningResource owner, string id, int index) : IDisposable
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan HealthyAgainAfter = TimeSpan.FromSeconds(30);

    private readonly AsyncLock _one = new();
    private Task _running = Task.CompletedTask;
    private CancellationTokenSource? _stop;
    private TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ReplicaLife? _life;
    private ResourceStateSnapshot? _state;
    private string? _reason;
    private int? _exitCode;
    private bool _over = true;

    public string Id => id;
    public int Index => index;
    public ILogger Logger { get; } = run.Loggers.GetLogger(id);
    public bool IsFrozen { get; private set; }
    public bool IsActive => !_running.IsCompleted;
    public bool InTraffic => _life?.InTraffic == true;
    public int? Pid => _life is { HasEnded: false, Status.Pid: { } pid } ? pid : null;
    public HealthReportSnapshot? HealthOf(string key) => _life?.Reports.FirstOrDefault(r => r.Name == key);
    public IReadOnlyDictionary<string, int> Ports => _life?.Launch.Ports ?? ImmutableDictionary<string, int>.Empty;

    /// <summary>Completes when this replica is ready for traffic; fails when it ended before.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Begins to run it, unless it runs. Completes when DCP has it, or when it could not be started (which its state says).</summary>
    public async Task StartAsync()
    {
        using (await _one.EnterAsync())
        {
            if (IsActive)
            {
                return;
            }

            var created = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _ = _ready.Task.ContinueWith(static t => t.Exception, TaskScheduler.Default);   // not everybody waits for it
            _stop?.Dispose();
            _stop = new();
            _running = Task.Run(() => RunAsync(() => created.TrySetResult(), _stop.Token));
            await Task.WhenAny(created.Task, _running);
        }
    }

    /// <summary>Takes it out of traffic, stops it (SIGTERM, 6 s later SIGKILL) and completes when it is gone.</summary>
    public async Task StopAsync()
    {
        using (await _one.EnterAsync())
        {
            if (IsActive)
            {
                Show(KnownResourceStates.Stopping);
                await _stop!.CancelAsync();
                await _running;
            }
        }
    }

    public void Observe(string uid, DcpStatus status) => _life?.Observe(uid, status);

    public void BecameReady() => _ready.TrySetResult();

    /// <summary>SIGKILL, as if the process had crashed: it is restarted like one.</summary>
    public bool Kill()
    {
        if (Pid is not { } pid)
        {
            return false;
        }

        using var process = System.Diagnostics.Process.GetProcessById(pid);
        process.Kill();
        return true;
    }

    /// <summary>Kills what DCP left behind, unless its number belongs to another process by now.</summary>
    public void KillOrphan()
    {
        try
        {
            if (Pid is { } pid && _life?.Status?.StartupTimestamp is { } started)
            {
                using var process = System.Diagnostics.Process.GetProcessById(pid);
                if ((process.StartTime.ToUniversalTime() - started.UtcDateTime).Duration() < TimeSpan.FromSeconds(5))
                {
                    process.Kill(entireProcessTree: true);
                }
            }
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // Gone already.
        }
    }

    public void Dispose() => _stop?.Dispose();

    public bool Freeze()
    {
        if (OperatingSystem.IsWindows() || Pid is not { } pid || !Signals.Freeze(pid))
        {
            return false;
        }

        IsFrozen = true;
        OrchestrationLog.Tell(Logger, $"Process {pid} is frozen (SIGSTOP).");
        Publish();
        return true;
    }

    public bool Thaw()
    {
        if (!IsFrozen || OperatingSystem.IsWindows())
        {
            return false;
        }

        IsFrozen = false;
        if (Pid is { } pid)
        {
            Signals.Thaw(pid);
            OrchestrationLog.Tell(Logger, $"Process {pid} goes on (SIGCONT).");
        }

        Publish();
        return true;
    }

    /// <summary>Shows a state of its own, such as "Downloading 37 %", until the process has one.</summary>
    public void Show(string state, string? style = null, string? reason = null)
    {
        (_state, _reason) = (new(state, style), reason);
        Publish();
    }

    /// <summary>Publishes what is true now; calling it too often does no harm.</summary>
    public void Publish()
    {
        // "Finished" makes waiters give up: whether a process that ended is restarted is decided before anybody sees it.
        if (_life is { HasEnded: true } && _state is null && !_over)
        {
            return;
        }

        CustomResourceSnapshot? now = null;
        _ = run.Notifications.PublishUpdateAsync(owner.Resource, id, s => now = ReplicaSnapshot.Render(s, new(
            owner, _life is { HasEnded: false } or { Status: not null } ? _life : null, StateNow(), _reason, _exitCode)));
        _ = owner.ShowChildrenAsync(now!);
    }

    private ResourceStateSnapshot? StateNow() =>
        _state ?? _life?.Status?.State switch
        {
            null or "" or "Pending" => KnownResourceStates.Starting,
            "Terminated" => KnownResourceStates.Finished,
            DcpStates.Running when IsFrozen => new ResourceStateSnapshot("Frozen", KnownResourceStateStyles.Warn),
            var state => state,
        };

    [SuppressMessage("Design", "CA1031", Justification = "Whatever keeps one replica from running is shown at that replica; the others go on.")]
    private async Task RunAsync(Action created, CancellationToken stop)
    {
        try
        {
            for (var crashes = 0; ;)
            {
                _over = false;
                (IsFrozen, _exitCode) = (false, null);
                Show(KnownResourceStates.Starting);
                var launch = await owner.PrepareLaunchAsync(this, stop);
                _life = new(run, this, launch);
                owner.PublishAddresses();
                (_state, _reason) = (null, null);
                var readyFor = await _life.RunAsync(created, stop);

                _exitCode = _life.Status?.ExitCode;
                if (stop.IsCancellationRequested || !owner.RestartsAfter(_life.Status))
                {
                    break;
                }

                crashes = readyFor > HealthyAgainAfter ? 1 : crashes + 1;
                var pause = TimeSpan.FromSeconds(Math.Min(Math.Pow(2, crashes - 1), LongestPause.TotalSeconds));
                var what = $"{(_exitCode is -1 or null ? "killed by a signal" : $"crashed with exit code {_exitCode}")}, restarting in {pause.TotalSeconds:0} s";
                OrchestrationLog.Restarting(Logger, what);
                Show(char.ToUpperInvariant(what[0]) + what[1..], KnownResourceStateStyles.Warn);
                await Task.Delay(pause, run.Time, stop);
            }

            (_state, _over) = (null, true);
            if (_life.Status is { State: not DcpStates.FailedToStart, ExitCode: not 0 } && !stop.IsCancellationRequested)
            {
                OrchestrationLog.Ended(Logger, $"The process ended with exit code {_exitCode}.");
            }

            await owner.EndedAsync(this);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Stopped while it was being prepared, or between two lives.
            Show(KnownResourceStates.Finished);
            await owner.EndedAsync(this);
        }
        catch (OperationCanceledException) when (run.Abandon.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            OrchestrationLog.NotStarted(Logger, e.Message);
            Show(KnownResourceStates.FailedToStart, KnownResourceStateStyles.Error, e.Message);
            await owner.EndedAsync(this);
        }
        finally
        {
            _ready.TrySetException(new InvalidOperationException($"'{id}' ended before it was ready. {_reason}"));
            Publish();
        }
    }
}
