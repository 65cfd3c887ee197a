using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Options;
using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.Catalog.Tokens;

/// <summary>
/// Counts failed authentications of a client from an address within a minute: together with the other replicas where Redis is there, otherwise each replica
/// for itself. Secrets have 238 random bits, so this keeps noise out, not guesses. By client and address, so that nobody shuts out a client from elsewhere.
/// </summary>
internal sealed class GuessLimiter(IOptions<TokenOptions> options, IRedis redis, TimeProvider time)
{
    // Beyond that all is forgotten: an attacker with so many addresses gains a few tries, and no memory.
    private const int MostKept = 50_000;

    // KEYS: the minute's count. A key lives a minute longer than its minute, for replicas whose clocks are behind.
    private static readonly RedisScript Count = new("local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('EXPIRE', KEYS[1], 120) end return n");

    private readonly ConcurrentDictionary<(string Client, IPAddress? Address), (long Minute, int Failures)> _failures = new();

    /// <summary>True when it failed too often in this minute to be listened to.</summary>
    public async ValueTask<bool> IsShutAsync(string client, IPAddress? address)
    {
        var minute = Minute();
        if (_failures.TryGetValue((client, address), out var seen) && seen.Minute == minute && seen.Failures >= options.Value.FailuresPerMinute)
        {
            return true;
        }

        // Only who fails is counted there, and only for a minute: for nearly everybody this is a look at a key that is not there.
        var together = await OrNullAsync(() => redis.ExecuteAsync(["GET", Key(client, address, minute)]));
        return together is { IsNull: false } count && long.TryParse(count.AsString(), out var failures) && failures >= options.Value.FailuresPerMinute;
    }

    public async ValueTask FailedAsync(string client, IPAddress? address)
    {
        if (_failures.Count > MostKept)
        {
            _failures.Clear();
        }

        var minute = Minute();
        _failures.AddOrUpdate((client, address), (minute, 1), (_, seen) => seen.Minute == minute ? (minute, seen.Failures + 1) : (minute, 1));
        await OrNullAsync(() => redis.EvaluateAsync(Count, [Key(client, address, minute)], []));
    }

    /// <summary>Null: Redis is not there, and what this replica has counted itself is all that is known.</summary>
    private async ValueTask<RedisReply?> OrNullAsync(Func<ValueTask<RedisReply>> ask)
    {
        if (!redis.IsAvailable)
        {
            return null;
        }

        try
        {
            return await ask();
        }
        catch (Exception exception) when (exception is RedisUnavailableException or RedisServerException)
        {
            return null;
        }
    }

    private static string Key(string client, IPAddress? address, long minute) => $"openplatform:guesses:{{{client}}}:{address}:{minute}";

    private long Minute() => time.GetUtcNow().Ticks / TimeSpan.TicksPerMinute;
}
