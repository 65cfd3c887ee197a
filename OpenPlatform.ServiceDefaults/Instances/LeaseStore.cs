using System.Globalization;
using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.ServiceDefaults.Instances;

/// <summary>
/// Leases in Redis (and in Garnet, which has the same commands):
/// <code>
/// openplatform:lease:{orders}:orders-3f9a0c1d   string   the signed lease, PX = time to live: it vanishes with its instance
/// openplatform:leases:{orders}                  zset     instance ids by expiry (Unix ms): where to look, newest first
/// openplatform:leases                           channel  service name, published when an instance comes, drains or goes
/// </code>
/// The braces put both keys of a service into one slot of a Redis cluster. The index says nothing about validity: an id whose
/// lease is gone is taken out by the next reader, by the server's own clock and not by anybody else's.
/// Redis may be wiped at any moment: the next heartbeats, a second later, have written everything again.
/// </summary>
internal sealed class LeaseStore(IRedis redis)
{
    public const string Channel = "openplatform:leases";

    /// <summary>Most instances of one service that are read; the newest win.</summary>
    public const int MaxInstances = 1000;

    /// <summary>An index nobody renews disappears.</summary>
    private static readonly TimeSpan IndexLife = TimeSpan.FromMinutes(1);

    // KEYS[1] index; ARGV[1] last position to read; ARGV[2] prefix of the lease keys; ARGV[3] last byte of a lease to read.
    // Answers [id, lease, id, lease, …]. GETRANGE bounds what a foreign value can cost; pcall: it may even be of another type.
    private static readonly RedisScript ReadScript = new("""
        local found = {}
        for _, id in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1])) do
          local lease = redis.pcall('GETRANGE', ARGV[2] .. id, 0, ARGV[3])
          if type(lease) == 'string' and #lease > 0 then
            found[#found + 1] = id
            found[#found + 1] = lease
          else
            redis.call('ZREM', KEYS[1], id)
          end
        end
        return found
        """);

    public async Task WriteAsync(InstanceLease lease, byte[] signed, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        var index = Index(lease.Service);

        // Sent together, in this order: who finds the id in the index finds the lease.
        var set = redis.ExecuteAsync(["SET", Prefix(lease.Service) + lease.InstanceId, signed, "PX", (long)timeToLive.TotalMilliseconds], cancellationToken);
        var add = redis.ExecuteAsync(
            ["ZADD", index, lease.ExpiresAt.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture), lease.InstanceId], cancellationToken);
        var keep = redis.ExecuteAsync(["PEXPIRE", index, (long)IndexLife.TotalMilliseconds], cancellationToken);
        await Task.WhenAll(set.AsTask(), add.AsTask(), keep.AsTask());
    }

    public async Task RemoveAsync(string service, string instanceId, CancellationToken cancellationToken)
    {
        var delete = redis.ExecuteAsync(["DEL", Prefix(service) + instanceId], cancellationToken);
        var forget = redis.ExecuteAsync(["ZREM", Index(service), instanceId], cancellationToken);
        await Task.WhenAll(delete.AsTask(), forget.AsTask());
    }

    /// <summary>Ids and what is stored for them, unchecked, each at most one byte longer than a lease may be.</summary>
    public async ValueTask<IReadOnlyList<(string InstanceId, byte[] Signed)>> ReadAsync(string service, CancellationToken cancellationToken)
    {
        var reply = await redis.EvaluateAsync(
            ReadScript, [Index(service)], [MaxInstances - 1, Prefix(service), LeaseText.MaxBytes], cancellationToken);
        var items = reply.Items;
        var found = new List<(string, byte[])>(items.Count / 2);
        for (var i = 0; i + 1 < items.Count; i += 2)
        {
            found.Add((items[i].AsString()!, items[i + 1].AsBytes()!));
        }

        return found;
    }

    public async Task AnnounceAsync(string service, CancellationToken cancellationToken) =>
        await redis.ExecuteAsync(["PUBLISH", Channel, service], cancellationToken);

    private static string Index(string service) => $"openplatform:leases:{{{service}}}";

    private static string Prefix(string service) => $"openplatform:lease:{{{service}}}:";
}
