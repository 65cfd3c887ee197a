using System.Diagnostics.Metrics;
using Npgsql;
using OpenPlatform.Catalog.Jobs;

namespace OpenPlatform.Catalog.Storage;

/// <summary>
/// Where long reads go: a replica when <c>ConnectionStrings:catalogdb-readonly</c> names one, so that they take nothing from writers. While
/// the replica is away they go to the primary, and the log and a metric say so.
/// </summary>
internal sealed partial class ReadDatabase : IAsyncDisposable
{
    public const string ConnectionName = "catalogdb-readonly";

    private static readonly TimeSpan RestAfterFailure = TimeSpan.FromSeconds(10);

    private readonly NpgsqlDataSource _primary;
    private readonly NpgsqlDataSource? _replica;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private long _restUntilTicks;
    private int _isAway;

    public ReadDatabase(NpgsqlDataSource primary, IConfiguration configuration, ILoggerFactory loggers, TimeProvider time, IMeterFactory meters)
    {
        (_primary, _time, _logger) = (primary, time, loggers.CreateLogger<ReadDatabase>());
        _replica = configuration.GetConnectionString(ConnectionName) is { Length: > 0 } text ? StorageServices.CreateDataSource(text, ConnectionName, loggers) : null;
        meters.Create(CatalogMeter.Name).CreateObservableGauge("openplatform.catalog.storage.replica", () => _replica is not null && Volatile.Read(ref _isAway) == 0 ? 1 : 0, "1",
            "1 while long reads go to a replica; 0: there is none, or it is away and the primary answers.");
    }

    /// <summary>Runs <paramref name="read"/> on the replica, and once more on the primary when the replica turns out to be away.</summary>
    public async Task<T> ReadAsync<T>(Func<NpgsqlDataSource, Task<T>> read)
    {
        if (_replica is not null && _time.GetUtcNow().UtcTicks >= Interlocked.Read(ref _restUntilTicks))
        {
            try
            {
                var result = await read(_replica);
                if (Interlocked.Exchange(ref _isAway, 0) == 1)
                {
                    LogBack();
                }

                return result;
            }
            catch (Exception exception) when (DatabaseFaults.IsAway(exception))
            {
                Interlocked.Exchange(ref _restUntilTicks, (_time.GetUtcNow() + RestAfterFailure).UtcTicks);
                if (Interlocked.Exchange(ref _isAway, 1) == 0)
                {
                    LogAway(exception.Message);
                }
            }
        }

        return await read(_primary);
    }

    public ValueTask DisposeAsync() => _replica?.DisposeAsync() ?? ValueTask.CompletedTask;

    [LoggerMessage(Level = LogLevel.Warning, Message = "The read-only replica does not answer, the primary does its work: {Reason}")]
    private partial void LogAway(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The read-only replica answers again")]
    private partial void LogBack();
}
