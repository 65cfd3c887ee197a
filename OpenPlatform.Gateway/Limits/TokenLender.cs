using System.Globalization;
using System.Runtime.InteropServices;
using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.Gateway.Limits;

/// <summary>What Redis lent.</summary>
/// <param name="Granted">Tokens that may be spent.</param>
/// <param name="Left">Tokens still in the shared bucket.</param>
/// <param name="WaitMicroseconds">Until the shared bucket holds one token; 0 when it does.</param>
/// <param name="FullMicroseconds">Until the shared bucket is full.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Loan(long Granted, long Left, long WaitMicroseconds, long FullMicroseconds);

/// <summary>
/// Lends blocks of tokens from the bucket that all gateways share in Redis. The bucket is GCRA on the server's clock, so the
/// gateways' clocks do not matter.
/// </summary>
internal sealed class TokenLender(IRedis? redis, MonotonicClock clock)
{
    // KEYS[1] the bucket: its theoretical arrival time in µs of the server.
    // ARGV    1 requests · 2 window µs · 3 tokens wanted · 4 tokens served without a loan since Redis went away, to be paid now ·
    //         5 the same if Redis has forgotten the bucket meanwhile: all that this gateway remembers to have served.
    // Returns [granted, left, wait µs, µs until full] as decimal text: Lua 5.1 and 5.4 differ in what a number becomes.
    private static readonly RedisScript Lend = new(
        """
        local clock = redis.call('TIME')
        local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
        local requests = tonumber(ARGV[1])
        local window = tonumber(ARGV[2])
        local wanted = tonumber(ARGV[3])
        local stored = redis.call('GET', KEYS[1])
        local owed = tonumber(ARGV[5])
        local arrival = now
        if stored then
          owed = tonumber(ARGV[4])
          arrival = math.max(now, tonumber(stored))
        end
        if owed > 0 then
          arrival = math.min(arrival + owed * window / requests, now + window)
        end
        local free = math.floor((now + window - arrival) * requests / window + 0.01)
        local granted = math.max(0, math.min(wanted, free))
        arrival = arrival + granted * window / requests
        if granted > 0 or owed > 0 then
          redis.call('SET', KEYS[1], string.format('%.2f', arrival), 'PX', string.format('%.0f', math.ceil((arrival - now) / 1000) + 1000))
        end
        local wait = 0
        if free - granted < 1 then
          wait = math.max(0, math.ceil(arrival + window / requests - window - now))
        end
        return { string.format('%.0f', granted), string.format('%.0f', math.max(0, free - granted)),
                 string.format('%.0f', wait), string.format('%.0f', math.max(0, math.ceil(arrival - now))) }
        """);

    /// <summary>Between two tries to reach a Redis that did not answer, µs.</summary>
    private const long ProbeEvery = 250_000;

    private int _suspect;
    private long _nextProbe;

    /// <summary>True while loans can be expected at once. False: decide locally.</summary>
    public bool IsUsable => redis is { IsAvailable: true } && Volatile.Read(ref _suspect) == 0;

    /// <summary>True for one caller every now and then while Redis is not usable: it may try a loan in the background.</summary>
    public bool MayProbe()
    {
        if (redis is not { IsAvailable: true })
        {
            return false;
        }

        var now = clock.Now;
        var next = Volatile.Read(ref _nextProbe);
        return now >= next && Interlocked.CompareExchange(ref _nextProbe, now + ProbeEvery, next) == next;
    }

    /// <summary>A request waited in vain: until the next answer nobody waits for Redis any more.</summary>
    public void Suspect()
    {
        Volatile.Write(ref _nextProbe, clock.Now + ProbeEvery);
        Volatile.Write(ref _suspect, 1);
    }

    /// <exception cref="RedisUnavailableException">Redis is away or too slow; the loan may have been made all the same.</exception>
    /// <exception cref="RedisServerException">The server refused the script.</exception>
    public async ValueTask<Loan> LendAsync(string key, long requests, long window, long wanted, double owed, double remembered, CancellationToken cancellationToken)
    {
        if (redis is null)
        {
            throw new RedisUnavailableException("No Redis is configured.");
        }

        try
        {
            var reply = await redis.EvaluateAsync(Lend, [key], [requests, window, wanted, Decimal(owed), Decimal(remembered)], cancellationToken);
            Volatile.Write(ref _suspect, 0);
            var items = reply.Items;
            return new(items[0].AsInt64(), items[1].AsInt64(), items[2].AsInt64(), items[3].AsInt64());
        }
        catch
        {
            Suspect();
            throw;
        }

        // Parts of a token count: what was served has partly refilled by the time it is paid.
        static string Decimal(double tokens) => tokens.ToString("0.######", CultureInfo.InvariantCulture);
    }
}
