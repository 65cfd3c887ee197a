using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.ApplicationModel;

/// <param name="LineNumber">1-based, counted per resource since its log was last cleared.</param>
public readonly record struct LogLine(int LineNumber, string Content, bool IsErrorMessage);

/// <summary>The console log of every resource, by resource id. Each keeps its last 10,000 lines for those who look later.</summary>
public class ResourceLoggerService(TimeProvider timeProvider) : IDisposable
{
    private const int Backlog = 10_000;
    private readonly ConcurrentDictionary<string, ResourceLog> _logs = new(StringComparer.OrdinalIgnoreCase);

    public ResourceLoggerService() : this(TimeProvider.System) { }

    /// <summary>Writes to the log of every instance of the resource.</summary>
    public ILogger GetLogger(IResource resource) => new FanOutLogger(() => resource.ResourceIds().Select(Log), timeProvider);

    public ILogger GetLogger(string resourceName) => new FanOutLogger(() => [Log(resourceName)], timeProvider);

    /// <summary>What is there and what comes, until the log is completed or the reader stops.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(string resourceName) => Log(resourceName).Read(follow: true);
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(IResource resource) => Merge(resource, follow: true);
    public IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(string resourceName) => Log(resourceName).Read(follow: false);
    public IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(IResource resource) => Merge(resource, follow: false);

    public void Complete(string name) => Log(name).Complete();

    public void Complete(IResource resource)
    {
        foreach (var id in resource.ResourceIds())
        {
            Complete(id);
        }
    }

    public void ClearBacklog(string resourceName) => Log(resourceName).Clear();

    /// <summary>Lines of a process, taken as they are.</summary>
    internal void Append(string resourceId, string content, bool isError) => Log(resourceId).Append(content, isError);

    public void Dispose()
    {
        foreach (var log in _logs.Values)
        {
            log.Complete();
        }
        GC.SuppressFinalize(this);
    }

    private ResourceLog Log(string id) => _logs.GetOrAdd(id, _ => new());

    private async IAsyncEnumerable<IReadOnlyList<LogLine>> Merge(IResource resource, bool follow, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var lines = Channel.CreateUnbounded<IReadOnlyList<LogLine>>();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var readers = resource.ResourceIds().Select(id => Task.Run(async () =>
        {
            await foreach (var batch in Log(id).Read(follow).WithCancellation(stop.Token))
            {
                lines.Writer.TryWrite(batch);
            }
        }, stop.Token)).ToArray();
        var all = Task.WhenAll(readers).ContinueWith(t => lines.Writer.TryComplete(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        try
        {
            await foreach (var batch in lines.Reader.ReadAllAsync(cancellationToken))
            {
                yield return batch;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await all;
        }
    }

    private sealed class ResourceLog
    {
        private readonly Lock _lock = new();
        private readonly Queue<LogLine> _lines = new();
        private ImmutableList<ChannelWriter<LogLine>> _readers = [];
        private int _count;

        internal void Append(string content, bool isError)
        {
            lock (_lock)
            {
                var line = new LogLine(++_count, content, isError);
                _lines.Enqueue(line);
                if (_lines.Count > Backlog)
                {
                    _lines.Dequeue();
                }
                foreach (var reader in _readers)
                {
                    reader.TryWrite(line);
                }
            }
        }

        internal void Complete()
        {
            lock (_lock)
            {
                _readers.ForEach(r => r.TryComplete());
                _readers = [];
            }
        }

        internal void Clear()
        {
            lock (_lock)
            {
                _lines.Clear();
                _count = 0;
            }
        }

        internal async IAsyncEnumerable<IReadOnlyList<LogLine>> Read(bool follow, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            // A reader that does not keep up loses the oldest lines instead of the AppHost its memory.
            var channel = Channel.CreateBounded<LogLine>(new BoundedChannelOptions(Backlog) { FullMode = BoundedChannelFullMode.DropOldest });
            LogLine[] backlog;
            lock (_lock)
            {
                backlog = [.. _lines];
                if (follow)
                {
                    _readers = _readers.Add(channel.Writer);
                }
            }
            try
            {
                if (backlog.Length > 0)
                {
                    yield return backlog;
                }
                while (follow && await channel.Reader.WaitToReadAsync(cancellationToken))
                {
                    var batch = new List<LogLine>();
                    while (batch.Count < 1000 && channel.Reader.TryRead(out var line))
                    {
                        batch.Add(line);
                    }
                    yield return batch;
                }
            }
            finally
            {
                lock (_lock)
                {
                    _readers = _readers.Remove(channel.Writer);
                }
            }
        }
    }

    private sealed class FanOutLogger(Func<IEnumerable<ResourceLog>> logs, TimeProvider timeProvider) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            // The dashboard takes a leading RFC 3339 time off the line and shows it on demand.
            var time = $"{timeProvider.GetUtcNow():yyyy-MM-dd'T'HH:mm:ss.fff'Z'} ";
            var text = formatter(state, exception) + (exception is null ? "" : Environment.NewLine + exception);
            foreach (var log in logs())
            {
                foreach (var line in text.ReplaceLineEndings("\n").Split('\n'))
                {
                    log.Append(time + line, logLevel >= LogLevel.Error);
                }
            }
        }
    }
}
