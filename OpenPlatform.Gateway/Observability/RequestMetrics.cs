using System.Diagnostics.Metrics;
using OpenPlatform.Gateway.Forwarding.Direct;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Observability;

/// <summary>
/// The metrics of every request by OpenTelemetry's conventions, in place of ASP.NET Core's own (and of HttpClient's, where a request goes around it):
/// the same names, labels and buckets, without looking a series up for each request.
/// </summary>
internal sealed class RequestMetrics : IDisposable
{
    private const int Versions = 4;
    private const int Schemes = 2;

    private static readonly TimeSpan FlushEvery = TimeSpan.FromSeconds(1);
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "_OTHER"];
    private static readonly string[] VersionNames = ["1.0", "1.1", "2", "3"];

    private readonly Histogram<double> _served;
    private readonly Histogram<double> _sent;
    private readonly DurationTable _requests = new(Methods.Length * Schemes * Versions, Labels);
    private readonly long[] _active = new long[Methods.Length * Schemes];
    private readonly List<WeakReference<DurationTable>> _instances = [];
    private readonly Lock _flushing = new();
    private readonly Timer _timer;

    public RequestMetrics(IMeterFactory factory, DirectForwarder direct)
    {
        var meter = factory.Create(GatewayMetrics.MeterName);
        var advice = new InstrumentAdvice<double> { HistogramBucketBoundaries = DurationTable.Boundaries };
        _served = meter.CreateHistogram("http.server.request.duration", "s", "Duration of HTTP server requests.", tags: null, advice);
        _sent = meter.CreateHistogram("http.client.request.duration", "s", "Duration of HTTP client requests.", tags: null, advice);
        meter.CreateObservableUpDownCounter("http.server.active_requests", Active, "{request}", "Number of active HTTP server requests.");
        meter.CreateObservableUpDownCounter("http.client.open_connections", () => Connections(direct), "{connection}", "Number of outbound HTTP connections that are currently active or idle on the client.");
        _timer = new(static metrics => ((RequestMetrics)metrics!).Flush(), this, FlushEvery, FlushEvery);
    }

    /// <summary>A request has come.</summary>
    /// <returns>For <see cref="End"/>; -1: nobody listens.</returns>
    public int Begin(HttpRequest request)
    {
        if (!_served.Enabled)
        {
            return -1;
        }

        var kind = (MethodOf(request.Method) * Schemes) + (request.IsHttps ? 1 : 0);
        Interlocked.Increment(ref _active[kind]);
        return (kind * Versions) + VersionOf(request.Protocol);
    }

    /// <param name="counts">False for what was no traffic.</param>
    public void End(int begun, int status, TimeSpan took, bool counts)
    {
        if (begun < 0)
        {
            return;
        }

        Interlocked.Decrement(ref _active[begun / Versions]);
        if (counts)
        {
            _requests.Add(begun, status, took);
        }
    }

    /// <summary>A try that went around HttpClient has ended, with this status or without an answer (0).</summary>
    public void Sent(Instance instance, string method, int status, TimeSpan took)
    {
        if (_sent.Enabled)
        {
            (instance.Durations ?? Join(instance)).Add(MethodOf(method), status, took);
        }
    }

    public void Dispose() => _timer.Dispose();

    private DurationTable Join(Instance instance)
    {
        lock (_flushing)
        {
            if (instance.Durations is null)
            {
                var address = instance.Config.Address;
                instance.Durations = new(Methods.Length, (method, status) => Labels(address, method, status));
                _instances.Add(new(instance.Durations));
            }

            return instance.Durations;
        }
    }

    private void Flush()
    {
        lock (_flushing)
        {
            _requests.Flush(_served);
            for (var i = _instances.Count - 1; i >= 0; i--)
            {
                if (_instances[i].TryGetTarget(out var durations))
                {
                    durations.Flush(_sent);
                }
                else
                {
                    _instances.RemoveAt(i);
                }
            }
        }
    }

    private IEnumerable<Measurement<long>> Active()
    {
        Flush(); // whoever collects gets all there is
        for (var kind = 0; kind < _active.Length; kind++)
        {
            if (Volatile.Read(ref _active[kind]) is > 0 and var count)
            {
                yield return new(count, new("http.request.method", Methods[kind / Schemes]), new("url.scheme", Scheme(kind)));
            }
        }
    }

    private static IEnumerable<Measurement<long>> Connections(DirectForwarder direct)
    {
        foreach (var connections in direct.InUse)
        {
            var (open, idle) = (connections.Open, connections.Idle);
            yield return new(idle, [.. Labels(connections.Address), new("http.connection.state", "idle")]);
            yield return new(Math.Max(0, open - idle), [.. Labels(connections.Address), new("http.connection.state", "active")]);
        }
    }

    private static KeyValuePair<string, object?>[] Labels(Uri address) =>
        [new("server.address", address.IdnHost), new("server.port", address.Port), new("url.scheme", address.Scheme), new("network.protocol.version", "1.1")];

    private static KeyValuePair<string, object?>[] Labels(int group, int status)
    {
        var kind = group / Versions;
        return
        [
            new("http.request.method", Methods[kind / Schemes]), new("url.scheme", Scheme(kind)), new("network.protocol.version", VersionNames[group % Versions]),
            new("http.response.status_code", status), .. Error(status, least: StatusCodes.Status500InternalServerError),
        ];
    }

    private static KeyValuePair<string, object?>[] Labels(Uri address, int method, int status)
    {
        KeyValuePair<string, object?>[] labels = [new("http.request.method", Methods[method]), .. Labels(address)];
        return status == 0 ? [.. labels, new("error.type", "_OTHER")] : [.. labels, new("http.response.status_code", status), .. Error(status, least: StatusCodes.Status400BadRequest)];
    }

    private static KeyValuePair<string, object?>[] Error(int status, int least) => status < least ? [] : [new("error.type", status.ToString())];

    private static string Scheme(int kind) => kind % Schemes == 0 ? "http" : "https";

    private static int MethodOf(string method) => method switch
    {
        "GET" => 0,
        "HEAD" => 1,
        "POST" => 2,
        "PUT" => 3,
        "PATCH" => 4,
        "DELETE" => 5,
        "OPTIONS" => 6,
        "CONNECT" => 7,
        "TRACE" => 8,
        _ => 9,
    };

    private static int VersionOf(string protocol) => HttpProtocol.IsHttp11(protocol) ? 1 : HttpProtocol.IsHttp2(protocol) ? 2 : HttpProtocol.IsHttp3(protocol) ? 3 : 0;
}
