using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>A span as it arrived.</summary>
/// <param name="Kind">1 internal, 2 server, 3 client.</param>
/// <param name="Failed">Status code "error".</param>
public sealed record ReceivedSpan(string Service, string Name, int Kind, string TraceId, bool Failed, IReadOnlyDictionary<string, string> Attributes);

/// <summary>Takes OTLP over HTTP (protobuf) and keeps it.</summary>
public sealed class OtlpCollector : IAsyncDisposable
{
    private readonly ConcurrentQueue<(string Path, byte[] Body)> _received = new();
    private StubServer _server = null!;

    public string Endpoint => _server.Address.ToString();

    /// <summary>Everything that arrived, as text, to look for what must not be there.</summary>
    public string RawText => string.Concat(_received.Select(r => Encoding.Latin1.GetString(r.Body)));

    public IReadOnlyList<ReceivedSpan> Spans => [.. _received.Where(r => r.Path == "/v1/traces").SelectMany(r => ReadSpans(r.Body))];

    /// <summary>Series of each instrument: the most that came in one export.</summary>
    public IReadOnlyDictionary<string, int> Series => _received.Where(r => r.Path == "/v1/metrics").SelectMany(r => ReadSeries(r.Body))
        .GroupBy(static s => s.Name, StringComparer.Ordinal).ToDictionary(static g => g.Key, static g => g.Max(static s => s.Count), StringComparer.Ordinal);

    public bool HasMetric(string name) => Text("/v1/metrics").Contains(name, StringComparison.Ordinal);

    public bool HasLog(string text) => Text("/v1/logs").Contains(text, StringComparison.Ordinal);

    public static async Task<OtlpCollector> StartAsync()
    {
        var collector = new OtlpCollector();
        collector._server = await StubServer.StartAsync(async context =>
        {
            var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            collector._received.Enqueue((context.Request.Path, body.ToArray()));
            context.Response.ContentType = "application/x-protobuf";
        });
        return collector;
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private string Text(string path) => string.Concat(_received.Where(r => r.Path == path).Select(r => Encoding.UTF8.GetString(r.Body)));

    // ExportTraceServiceRequest: 1 resource_spans { 1 resource { 1 attributes }, 2 scope_spans { 2 spans } }
    private static IEnumerable<ReceivedSpan> ReadSpans(byte[] request)
    {
        foreach (var resourceSpans in Fields(request, 1))
        {
            var resource = Fields(resourceSpans, 1).SelectMany(r => Attributes(r, 1)).ToDictionary(StringComparer.Ordinal);
            foreach (var span in Fields(resourceSpans, 2).SelectMany(scope => Fields(scope, 2)))
            {
                yield return new ReceivedSpan(
                    resource.GetValueOrDefault("service.name", ""),
                    Encoding.UTF8.GetString(Fields(span, 5).Single()),
                    (int)Numbers(span, 6).SingleOrDefault(),
                    Convert.ToHexStringLower(Fields(span, 1).Single()),
                    Fields(span, 15).Any(status => Numbers(status, 3).SingleOrDefault() == 2),
                    Attributes(span, 9).ToDictionary(StringComparer.Ordinal));
            }
        }
    }

    // ExportMetricsServiceRequest: 1 resource_metrics { 2 scope_metrics { 2 metrics { 1 name, 5 gauge | 7 sum | 9 histogram { 1 data_points } } } }
    private static IEnumerable<(string Name, int Count)> ReadSeries(byte[] request) =>
        Fields(request, 1).SelectMany(static r => Fields(r, 2)).SelectMany(static s => Fields(s, 2)).Select(static metric => (
            Encoding.UTF8.GetString(Fields(metric, 1).Single()),
            new[] { 5, 7, 9 }.SelectMany(kind => Fields(metric, kind)).Sum(static data => Fields(data, 1).Count())));

    /// <summary>KeyValue { 1 key, 2 AnyValue { 1 string | 2 bool | 3 int } }.</summary>
    private static IEnumerable<KeyValuePair<string, string>> Attributes(byte[] message, int field) => Fields(message, field).Select(pair =>
    {
        var value = Fields(pair, 2).Single();
        return new KeyValuePair<string, string>(
            Encoding.UTF8.GetString(Fields(pair, 1).Single()),
            Fields(value, 1).Select(Encoding.UTF8.GetString).FirstOrDefault() ?? Numbers(value, 3).Select(n => n.ToString()).FirstOrDefault() ?? "");
    });

    private static IEnumerable<byte[]> Fields(byte[] message, int field) => Read(message).Where(f => f.Number == field && f.Bytes is not null).Select(f => f.Bytes!);

    private static IEnumerable<long> Numbers(byte[] message, int field) => Read(message).Where(f => f.Number == field && f.Bytes is null).Select(f => f.Value);

    /// <summary>The fields of one protobuf message.</summary>
    private static IEnumerable<(int Number, long Value, byte[]? Bytes)> Read(byte[] message)
    {
        for (var position = 0; position < message.Length;)
        {
            var tag = Varint(message, ref position);
            var number = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    yield return (number, Varint(message, ref position), null);
                    break;
                case 1:
                    yield return (number, BinaryPrimitives.ReadInt64LittleEndian(message.AsSpan(position)), null);
                    position += 8;
                    break;
                case 2:
                    var length = (int)Varint(message, ref position);
                    yield return (number, 0, message[position..(position + length)]);
                    position += length;
                    break;
                case 5:
                    yield return (number, BinaryPrimitives.ReadInt32LittleEndian(message.AsSpan(position)), null);
                    position += 4;
                    break;
            }
        }
    }

    private static long Varint(byte[] message, ref int position)
    {
        long value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var b = message[position++];
            value |= (long)(b & 0x7f) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }
    }
}
