using System.Collections.Frozen;
using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.Options;
using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.ServiceDefaults.Instances;

/// <summary>Reads leases and believes only those that are signed with the key of their service.</summary>
internal sealed class LeaseRegistry(IRedis redis, IOptions<LeaseOptions> options, TimeProvider time, LeaseMetrics metrics) : ILeaseRegistry
{
    private readonly LeaseStore _store = new(redis);
    private readonly FrozenDictionary<string, byte[]> _keys =
        options.Value.Keys.ToFrozenDictionary(entry => entry.Key, entry => Encoding.UTF8.GetBytes(entry.Value), StringComparer.Ordinal);

    public async ValueTask<IReadOnlyList<InstanceLease>> ReadAsync(string service, CancellationToken cancellationToken)
    {
        if (!_keys.TryGetValue(service, out var key))
        {
            return []; // not a registered service: nothing it writes could be believed
        }

        IReadOnlyList<(string InstanceId, byte[] Signed)> stored;
        try
        {
            stored = await _store.ReadAsync(service, cancellationToken);
        }
        catch (RedisServerException e)
        {
            throw new RedisUnavailableException($"The leases of {service} cannot be read: {e.Message}", e);
        }

        var now = time.GetUtcNow();
        var leases = new List<InstanceLease>(stored.Count);
        foreach (var (instanceId, signed) in stored)
        {
            var verdict = LeaseText.Read(signed, service, instanceId, key, now, options.Value.ClockSkew, out var lease);
            if (lease is not null)
            {
                leases.Add(lease);
            }
            else
            {
                metrics.Dropped(service, verdict);
            }
        }

        return leases;
    }

    public IDisposable Subscribe(Action<string> onChange) => redis.Subscribe(LeaseStore.Channel, service =>
    {
        // Anybody on the Redis may publish: only names of services that we have keys for are passed on.
        if (_keys.ContainsKey(service))
        {
            onChange(service);
        }
    });
}

internal sealed class LeaseMetrics : IDisposable
{
    private readonly Meter _meter = new("OpenPlatform.Leases");
    private readonly Counter<long> _dropped;
    private readonly Counter<long> _heartbeats;

    public LeaseMetrics()
    {
        _dropped = _meter.CreateCounter<long>(
            "openplatform.leases.dropped", "{lease}", "Leases that were read and not believed, by openplatform.lease.verdict.");
        _heartbeats = _meter.CreateCounter<long>("openplatform.leases.heartbeats", "{heartbeat}", "Own leases written, by openplatform.lease.outcome.");
    }

    /// <param name="service">A service with a configured key: a closed set.</param>
    public void Dropped(string service, LeaseVerdict verdict) => _dropped.Add(
        1,
        new KeyValuePair<string, object?>("openplatform.service", service),
        new KeyValuePair<string, object?>("openplatform.lease.verdict", verdict switch
        {
            LeaseVerdict.Malformed => "malformed",
            LeaseVerdict.Forged => "forged",
            LeaseVerdict.Foreign => "foreign",
            LeaseVerdict.Expired => "expired",
            LeaseVerdict.TooLong => "too_long",
            _ => throw new ArgumentOutOfRangeException(nameof(verdict)),
        }));

    public void Heartbeat(bool written) => _heartbeats.Add(1, new KeyValuePair<string, object?>("openplatform.lease.outcome", written ? "written" : "failed"));

    public void Dispose() => _meter.Dispose();
}
