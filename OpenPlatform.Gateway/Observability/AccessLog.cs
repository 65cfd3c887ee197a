using System.Buffers;
using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.ServiceDefaults.Deployment;

namespace OpenPlatform.Gateway.Observability;

/// <summary>What one line says. No path, query or header of the caller: they may hold secrets and personal data.</summary>
/// <param name="At">When it came, UTC.</param>
internal readonly record struct AccessRecord(
    DateTime At, double Milliseconds, string Method, int Status, Refusal Refusal, OperationEntry? Operation, Guid Application, string RequestId, ActivityTraceId TraceId,
    string? Instance, IPAddress Client);

/// <summary>One JSON line a request, written in the background: a request only leaves a value in a queue.</summary>
internal sealed class AccessLog : BackgroundService
{
    /// <summary>Lines that may wait: a third of a second at 50,000 requests a second.</summary>
    private const int QueueLength = 16_384;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly RecordQueue<AccessRecord>? _queue;
    private readonly ObservabilityOptions _options;
    private readonly int _threshold;
    private long _dropped;
    private Stream? _target;

    public AccessLog(IOptions<ObservabilityOptions> options)
    {
        _options = options.Value;
        _threshold = (int)(_options.AccessLogSample * int.MaxValue);
        _queue = _options.AccessLog == AccessLogTarget.None ? null : new(QueueLength);
    }

    /// <summary>Lines that found the queue full.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <param name="isFine">Not refused and below 500: only a sample is written.</param>
    public bool Wants(bool isFine) => _queue is not null && (!isFine || (_threshold > 0 && Random.Shared.Next() <= _threshold));

    public void Write(in AccessRecord record)
    {
        if (!_queue!.TryAdd(record))
        {
            Interlocked.Increment(ref _dropped);
        }
    }

    /// <exception cref="StartRefusedException">The file cannot be written.</exception>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            _target = _options.AccessLog switch
            {
                AccessLogTarget.Stdout => Console.OpenStandardOutput(),
                AccessLogTarget.File => new FileStream(_options.AccessLogFile!, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0),
                _ => null,
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new StartRefusedException($"{ObservabilityOptions.Section}:{nameof(ObservabilityOptions.AccessLogFile)}: {_options.AccessLogFile} cannot be written: {e.Message}", e);
        }

        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_queue is null)
        {
            return;
        }

        await using var target = _target!;
        var buffer = new ArrayBufferWriter<byte>(64 << 10);
        await using var json = new Utf8JsonWriter(buffer);
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(Interval, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await DrainAsync(_queue, json, buffer, target);
        }
    }

    private async Task DrainAsync(RecordQueue<AccessRecord> queue, Utf8JsonWriter json, ArrayBufferWriter<byte> buffer, Stream target)
    {
        var lines = 0;
        while (queue.TryTake(out var record))
        {
            json.Reset();
            Format(json, record);
            json.Flush();
            buffer.Write("\n"u8);
            lines++;
            if (buffer.WrittenCount > 48 << 10)
            {
                await FlushAsync();
            }
        }

        await FlushAsync();

        async Task FlushAsync()
        {
            if (buffer.WrittenCount > 0)
            {
                try
                {
                    await target.WriteAsync(buffer.WrittenMemory);
                }
                catch (IOException)
                {
                    Interlocked.Add(ref _dropped, lines); // a full disk costs lines, not requests
                }

                buffer.ResetWrittenCount();
                lines = 0;
            }
        }
    }

    private static void Format(Utf8JsonWriter json, in AccessRecord record)
    {
        json.WriteStartObject();
        json.WriteString("time"u8, record.At);
        json.WriteString("requestId"u8, record.RequestId);
        if (record.TraceId != default)
        {
            json.WriteString("traceId"u8, record.TraceId.ToHexString());
        }

        json.WriteString("method"u8, record.Method);
        if (record.Operation is { } operation)
        {
            json.WriteString("route"u8, operation.RouteText);
            json.WriteString("api"u8, operation.Api.Name);
            json.WriteString("version"u8, operation.Api.Version);
            json.WriteString("operation"u8, operation.OperationId);
        }

        if (record.Application != Guid.Empty)
        {
            json.WriteString("application"u8, record.Application);
        }

        json.WriteNumber("status"u8, record.Status);
        if (record.Refusal != Refusal.None)
        {
            json.WriteString("refusal"u8, RefusalTable.Shapes[record.Refusal].Slug);
        }

        json.WriteNumber("ms"u8, Math.Round(record.Milliseconds, 3));
        if (record.Instance is { } instance)
        {
            json.WriteString("instance"u8, instance);
        }

        json.WriteString("client"u8, ReferenceEquals(record.Client, IPAddress.None) ? "unknown" : record.Client.ToString());
        json.WriteEndObject();
    }
}
