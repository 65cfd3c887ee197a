using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>What one process of a replica needs to run.</summary>
/// <param name="Ports">DCP Service name → the port this process listens on.</param>
/// <param name="Probes">All must pass before traffic comes; none means "ready as soon as it runs".</param>
internal sealed record Launch(Workload Workload, string Path, string? WorkingDirectory, IReadOnlyList<string> Args,
    IReadOnlyDictionary<string, int> Ports, IReadOnlyList<ReadinessProbe> Probes);

/// <summary>One process of a replica from its creation to its end. A restart is a new life.</summary>
internal sealed class ReplicaLife(OrchestrationContext run, Replica replica, Launch launch)
{
    private const int FailuresBeforeOut = 3;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ImpatientFor = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan LaterPause = TimeSpan.FromSeconds(1);
    // New connections see the endpoint gone 20-30 ms after its deletion; the rest is for clients that just picked it.
    private static readonly TimeSpan PauseBeforeStop = TimeSpan.FromSeconds(1);
    // DCP kills 6 s after SIGTERM; the rest is for DCP on an overloaded machine.
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(20);

    private readonly TaskCompletionSource _running = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private (string Uid, DcpStatus Status)? _early;
    private string? _uid;
    private long? _readySince;
    private long _lastLine;

    public Launch Launch => launch;
    public DcpStatus? Status { get; private set; }
    public bool InTraffic { get; private set; }
    public bool HasEnded => _ended.Task.IsCompleted;
    /// <summary>What the last round of probes said, for the health checks somebody asked for.</summary>
    public IReadOnlyList<HealthReportSnapshot> Reports { get; private set; } =
        [.. launch.Probes.Where(p => p.Key is not null).Select(p => new HealthReportSnapshot(p.Key!, null, null, null))];

    /// <summary>Runs until the process has ended, by itself or because <paramref name="stop"/> asked for it.</summary>
    /// <param name="stop">Takes it out of traffic, waits, then stops it.</param>
    /// <param name="created">Called once DCP has the object.</param>
    /// <returns>How long it had been ready when it ended.</returns>
    public async Task<TimeSpan> RunAsync(Action created, CancellationToken stop)
    {
        var uid = await launch.Workload.CreateAsync(run.Abandon);
        Adopt(uid);
        created();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(run.Abandon);
        var logs = Task.WhenAll(Sources().Select(s => PumpAsync(s, over.Token)));
        var gate = new TrafficGate(run.Dcp, replica.Id, new(DcpObject.GroupVersion, launch.Workload.Kind, replica.Id, uid), launch.Ports);
        using var unready = CancellationTokenSource.CreateLinkedTokenSource(over.Token);
        var watching = WatchReadinessAsync(gate, unready.Token);

        await Task.WhenAny(_ended.Task, Task.Delay(Timeout.Infinite, stop)).WaitAsync(run.Abandon);
        await unready.CancelAsync();
        await watching;
        if (!HasEnded)
        {
            await StopAsync(gate);
        }

        var readyFor = _readySince is { } since ? run.Time.GetElapsedTime(since) : TimeSpan.Zero;
        InTraffic = false;
        await LogsAreQuietAsync();
        await over.CancelAsync();
        await logs;
        if (Status?.State == DcpStates.FailedToStart)
        {
            await TellWhyItDidNotStartAsync();
        }

        return readyFor;
    }

    /// <summary>DCP's word about this name; what belongs to another life is put aside.</summary>
    public void Observe(string uid, DcpStatus status)
    {
        lock (_lock)
        {
            // The first event may overtake the answer that tells the uid.
            if (_uid is null)
            {
                _early = (uid, status);
                return;
            }

            if (_uid != uid)
            {
                return;
            }

            Status = status;
        }

        if (status.State == DcpStates.Running)
        {
            _running.TrySetResult();
        }

        if (DcpStates.IsFinal(status.State))
        {
            InTraffic = false;
            _ended.TrySetResult();
        }

        replica.Publish();
    }

    private void Adopt(string uid)
    {
        (string Uid, DcpStatus Status)? early;
        lock (_lock)
        {
            _uid = uid;
            early = _early;
        }

        if (early is { } first)
        {
            Observe(first.Uid, first.Status);
        }
    }

    private async Task StopAsync(TrafficGate gate)
    {
        if (await gate.CloseAsync(run.Abandon))
        {
            InTraffic = false;
            replica.Publish();
            await Task.Delay(run.IsShuttingDown ? TimeSpan.Zero : PauseBeforeStop, run.Time, run.Abandon);
        }

        replica.Thaw();   // a frozen process could not hear SIGTERM
        await launch.Workload.StopAsync(run.Abandon);
        await _ended.Task.WaitAsync(StopLimit, run.Time, run.Abandon);
    }

    [SuppressMessage("Design", "CA1031", Justification = "Losing the endpoint of one replica for a moment must not end its life; the next round tries again.")]
    private async Task WatchReadinessAsync(TrafficGate gate, CancellationToken ct)
    {
        try
        {
            await _running.Task.WaitAsync(ct);
            var started = run.Time.GetTimestamp();
            for (var failures = 0; ; )
            {
                string?[] reasons = await Task.WhenAll(launch.Probes.Select(p => p.AskAsync(ct)));
                var ready = Array.TrueForAll(reasons, r => r is null);
                failures = ready ? 0 : failures + 1;
                Report(reasons);
                try
                {
                    if (ready && !InTraffic)
                    {
                        await gate.OpenAsync(ct);
                        (InTraffic, _readySince) = (true, run.Time.GetTimestamp());
                        replica.Publish();
                        replica.BecameReady();
                    }
                    else if (InTraffic && failures >= FailuresBeforeOut)
                    {
                        await gate.CloseAsync(ct);
                        (InTraffic, _readySince) = (false, null);
                        OrchestrationLog.OutOfTraffic(replica.Logger, reasons.First(r => r is not null)!);
                        replica.Publish();
                    }

                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    OrchestrationLog.TrafficChangeFailed(replica.Logger, e);
                }

                if (launch.Probes.Count == 0)
                {
                    return;
                }

                var impatient = !InTraffic && run.Time.GetElapsedTime(started) < ImpatientFor;
                await Task.Delay(impatient ? FirstPause : LaterPause, run.Time, ct);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private void Report(string?[] reasons)
    {
        var now = run.Time.GetUtcNow().UtcDateTime;
        Reports = [.. launch.Probes.Zip(reasons).Where(p => p.First.Key is not null).Select(p =>
            new HealthReportSnapshot(p.First.Key!, p.Second is null ? HealthStatus.Healthy : HealthStatus.Unhealthy, p.Second, null) { LastRunAt = now })];
    }

    private string[] Sources() => launch.Workload.Kind == "Container" ? ["startup_stdout", "startup_stderr", "stdout", "stderr"] : ["stdout", "stderr"];

    private async Task PumpAsync(string source, CancellationToken ct)
    {
        var isError = source.EndsWith("stderr", StringComparison.Ordinal);
        await foreach (var line in launch.Workload.LogAsync(source, follow: true, ct))
        {
            Volatile.Write(ref _lastLine, run.Time.GetTimestamp());
            run.Loggers.Append(replica.Id, line, isError);
        }
    }

    // DCP holds a follow stream open 6 s beyond the end of the process, though the lines themselves come at once. A deleted object
    // has no log, so the last words of a crash are awaited for as long as lines keep coming.
    private async Task LogsAreQuietAsync()
    {
        var quiet = TimeSpan.FromMilliseconds(150);
        var start = run.Time.GetTimestamp();
        do
        {
            await Task.Delay(quiet, run.Time, run.Abandon);
        }
        while (_lastLine != 0 && run.Time.GetElapsedTime(_lastLine) < quiet && run.Time.GetElapsedTime(start) < TimeSpan.FromSeconds(2));
    }

    // 2026-11-21T05:26:13.046Z⇥error⇥ExecutableReconciler⇥Failed to start a process⇥{"Cmd":"/x","error":"fork/exec /x: no such file or directory"}
    private async Task TellWhyItDidNotStartAsync()
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(run.Abandon);
        limit.CancelAfter(TimeSpan.FromSeconds(5));
        await foreach (var line in launch.Workload.LogAsync("system", follow: false, limit.Token))
        {
            if (line.Contains("\terror\t", StringComparison.Ordinal))
            {
                run.Loggers.Append(replica.Id, line.Replace('\t', ' '), isError: true);
            }
        }
    }
}
