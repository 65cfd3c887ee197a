using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.ServiceDefaults.Discovery.Dns;

namespace OpenPlatform.Gateway.Instances;

/// <summary>
/// Asks DNS for the instances of every backend that has a DNS name: again when the time to live is over, sooner after a failure. An empty
/// or failed answer leaves what was said before.
/// </summary>
internal sealed class DnsSource(InstanceDirectory directory, IOptions<InstanceOptions> options, TimeProvider time, ILogger<DnsSource> logger) : BackgroundService
{
    private static readonly TimeSpan LookForBackends = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan QueryTimeout = TimeSpan.FromSeconds(2);
    private const int QueryAttempts = 2;

    private sealed record Watch(DnsModel Model, CancellationTokenSource Stop, Task Running);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var watches = new Dictionary<BackendState, Watch>();
        using var timer = new PeriodicTimer(LookForBackends, time);
        while (!stoppingToken.IsCancellationRequested)
        {
            var wanted = directory.Backends.Where(static b => b.Model.Dns is not null).ToDictionary(static b => b, static b => b.Model.Dns!);
            foreach (var (backend, watch) in watches.Where(w => wanted.GetValueOrDefault(w.Key) != w.Value.Model).ToArray())
            {
                await EndAsync(watch);
                watches.Remove(backend);
            }

            foreach (var (backend, model) in wanted.Where(w => !watches.ContainsKey(w.Key)))
            {
                var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                watches[backend] = new(model, stop, WatchAsync(backend, model, stop.Token));
            }

            await ((Task)timer.WaitForNextTickAsync(stoppingToken).AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await Task.WhenAll(watches.Values.Select(EndAsync));
    }

    private static async Task EndAsync(Watch watch)
    {
        await watch.Stop.CancelAsync();
        await watch.Running;
        watch.Stop.Dispose();
    }

    private async Task WatchAsync(BackendState backend, DnsModel model, CancellationToken cancellationToken)
    {
        var longest = TimeSpan.FromSeconds(model.MaxSeconds);
        var retry = FirstRetry;
        var failing = false;
        while (!cancellationToken.IsCancellationRequested)
        {
            TimeSpan wait;
            try
            {
                var (configs, timeToLive) = model.Kind == DnsKind.Srv ? await ServicesAsync(model, cancellationToken) : await AddressesAsync(model, cancellationToken);
                directory.Apply(backend, InstanceSource.Dns, configs);
                if (failing && configs.Length > 0)
                {
                    logger.DnsAnswersAgain(model.Name);
                }

                failing &= configs.Length == 0;
                (wait, retry) = configs.Length > 0 ? (Clamp(timeToLive), FirstRetry) : (Clamp(retry), retry * 2);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e) when (e is SocketException or DnsException or ArgumentException)
            {
                if (!failing)
                {
                    failing = true;
                    logger.DnsAway(model.Name, e.Message);
                }

                (wait, retry) = (Clamp(retry), retry * 2);
            }

            await Task.Delay(wait, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            retry = retry < longest ? retry : longest;
        }

        TimeSpan Clamp(TimeSpan span) => span < FirstRetry ? FirstRetry : span < longest ? span : longest;
    }

    // The system's resolver tells no time to live.
    private static async Task<(InstanceConfig[] Configs, TimeSpan TimeToLive)> AddressesAsync(DnsModel model, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(model.Name, cancellationToken);
        return ([.. addresses.Select(address => At(model, address.ToString(), model.Port))], TimeSpan.MaxValue);
    }

    private async Task<(InstanceConfig[] Configs, TimeSpan TimeToLive)> ServicesAsync(DnsModel model, CancellationToken cancellationToken)
    {
        IReadOnlyList<IPEndPoint> servers = options.Value.NameServers.Count > 0 ? [.. options.Value.NameServers.Select(static s => InstanceOptionsRules.Read(s)!)] : ResolvConf.NameServers();
        var answer = await new DnsClient(servers, QueryTimeout, QueryAttempts, time).ServicesAsync(model.Name, cancellationToken);
        return (Read(model, answer.Services), answer.TimeToLive);
    }

    /// <summary>Priorities and weights as RFC 2782 has them, weights scaled to 1 to 1000; when nobody has one, all are normal. A target with
    /// several addresses shares its weight among them. A certificate names the target, so https goes by name.</summary>
    internal static InstanceConfig[] Read(DnsModel model, IReadOnlyList<DnsService> services)
    {
        var largest = services.Select(static s => s.Weight).DefaultIfEmpty().Max();
        return
        [
            .. services.SelectMany(service =>
            {
                string[] hosts = service.Addresses.Count > 0 && model.Scheme == "http" ? [.. service.Addresses.Select(static a => a.ToString())] : [service.Target];
                var weight = largest == 0 ? 100 : Math.Clamp((int)Math.Round(1000d * service.Weight / largest / hosts.Length), 1, 1000);
                return hosts.Select(host => At(model, host, service.Port) with { Weight = weight, Priority = service.Priority });
            }),
        ];
    }

    private static InstanceConfig At(DnsModel model, string host, int? port) => InstanceConfig.At(new UriBuilder(model.Scheme, host, port ?? -1).Uri, InstanceSource.Dns);
}
