using Npgsql;

namespace OpenPlatform.Catalog.Storage;

/// <summary>Runs once the schema is up to date and before the catalog is ready; may run again after a failure and beside other replicas.</summary>
internal interface IStartupWork
{
    Task RunAsync(CancellationToken cancellationToken);
}

/// <summary>Whether the schema is up to date. Until then no request can be answered.</summary>
internal sealed class StorageState
{
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Exception? _lastError;

    public bool IsReady => _ready.Task.IsCompletedSuccessfully;

    /// <summary>Ends when it is ready; never, when it never is.</summary>
    public Task WhenReady => _ready.Task;

    /// <summary>Why it is not ready yet; null: still at it.</summary>
    public Exception? LastError => _lastError;

    /// <summary>True when starting ended for good, and the process should end with an error.</summary>
    public bool HasFailed { get; private set; }

    public void Ready() => _ready.TrySetResult();

    public void Retry(Exception error) => _lastError = error;

    public void Fail(Exception error)
    {
        _lastError = error;
        HasFailed = true;
    }
}

/// <summary>
/// Migrates, then runs the <see cref="IStartupWork"/>. A database that is away is waited for, however long; a database that does not
/// fit ends the process with the reason.
/// </summary>
internal sealed partial class StorageStarter(
    MigrationRunner runner, IEnumerable<IStartupWork> work, StorageState state, IHostApplicationLifetime lifetime, TimeProvider time,
    ILogger<StorageStarter> logger) : BackgroundService
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        for (var pause = FirstPause; !stoppingToken.IsCancellationRequested; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                await runner.RunAsync(Migrations.Embedded(), stoppingToken);
                foreach (var step in work)
                {
                    await step.RunAsync(stoppingToken);
                }

                state.Ready();
                LogReady();
                return;
            }
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException or System.Net.Sockets.SocketException)
            {
                state.Retry(exception);
                LogRetry(exception.Message, pause.TotalSeconds);
                await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                state.Fail(exception);
                LogFailed(exception);
                // A host that is stopped while it starts dies of a cancellation, and nobody reads the reason above.
                using var startedOrStopping = CancellationTokenSource.CreateLinkedTokenSource(lifetime.ApplicationStarted, stoppingToken);
                await Task.Delay(Timeout.InfiniteTimeSpan, startedOrStopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                lifetime.StopApplication();
                return;
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Database is ready")]
    private partial void LogReady();

    [LoggerMessage(Level = LogLevel.Warning, Message = "Database is not ready: {Reason}. Next try in {PauseSeconds} s")]
    private partial void LogRetry(string reason, double pauseSeconds);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The catalog cannot start on this database")]
    private partial void LogFailed(Exception exception);
}
