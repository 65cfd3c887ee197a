using System.Globalization;
using System.Runtime.InteropServices;
using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.Gateway.Limits;

/// <summary>What Redis lent.</summary>
/// <param name="Granted">Tokens that may be spent; negative: see <see cref="IsForgotten"/>.</param>
/// <param name="Left">Tokens still in the shared bucket.</param>
/// <param name="WaitMicroseconds">Until the shared bucket holds one token; 0 when it does.</param>
/// <param name="FullMicroseconds">Until the shared bucket is full.</param>
/// <param name="Account">All that Redis has charged to this account so far: what the next request tells it in return.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Loan(long Granted, long Left, long WaitMicroseconds, long FullMicroseconds, double Account)
{
    /// <summary>Redis has no such bucket, and the one who asked did not know what it should hold: nothing was lent.</summary>
    public bool IsForgotten => Granted < 0;
}

/// <summary>What a gateway asks of a shared bucket.</summary>
/// <param name="Bucket">Its key.</param>
/// <param name="Account">The key under which Redis adds up what it charged to the one who asks.</param>
/// <param name="Requests">Tokens that the bucket holds.</param>
/// <param name="Window">µs in which it fills.</param>
/// <param name="Wanted">Tokens to lend.</param>
/// <param name="Needed">Fewer than that are of no use and are not lent.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct LoanRequest(string Bucket, string Account, long Requests, long Window, long Wanted, long Needed)
{
    /// <summary>For <see cref="Remembered"/>: do not make the bucket, it may have been forgotten.</summary>
    public const double Unknown = -1;

    /// <summary>Tokens served without a loan since Redis went away, to be paid now. Parts count: some have refilled since.</summary>
    public double Owed { get; init; }

    /// <summary>The same if Redis has forgotten the bucket: all that the gateway remembers to have been served.</summary>
    public double Remembered { get; init; }

    /// <summary>The last <see cref="Loan.Account"/> received. What Redis charged beyond it went with a lost answer.</summary>
    public double Known { get; init; }

    /// <summary>µs for which the bucket does not fill: until the end of a calendar period, when it is forgotten; 0: it fills.</summary>
    public long StandsStillFor { get; init; }
}

/// <summary>
/// Lends blocks of tokens from the bucket that all gateways share in Redis. The bucket is GCRA on the server's clock, so the
/// gateways' clocks do not matter.
/// </summary>
internal sealed class TokenLender(IRedis? redis, MonotonicClock clock)
{
    // KEYS[1] the bucket: its theoretical arrival time in µs of the server · KEYS[2] tokens charged to this account in all.
    // ARGV    1 requests · 2 window µs · 3 wanted · 4 needed · 5 owed · 6 remembered (negative: unknown) · 7 known · 8 stands still for µs (see LoanRequest).
    // Returns [granted, left, wait µs, µs until full, account] as decimal text: Lua 5.1 and 5.4 differ in what a number becomes.
    // A loan whose answer was lost is not charged twice: first it pays what is owed, what is left of it is granted again.
    private static readonly RedisScript Lend = new(
        """
        local clock = redis.call('TIME')
        local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
        local requests = tonumber(ARGV[1])
        local window = tonumber(ARGV[2])
        local wanted = tonumber(ARGV[3])
        local needed = tonumber(ARGV[4])
        local account = tonumber(ARGV[7])
        local still = tonumber(ARGV[8])
        if still > 0 then
          now = 0
        end
        local stored = redis.call('GET', KEYS[1])
        local owed = tonumber(ARGV[6])
        if not stored and owed < 0 then
          return { '-1', '0', '0', '0', string.format('%.6f', account) }
        end
        local arrival = now
        local granted = 0
        if stored then
          arrival = math.max(now, tonumber(stored))
          local charged = math.max(account, tonumber(redis.call('GET', KEYS[2]) or '0'))
          owed = tonumber(ARGV[5]) - (charged - account)
          account = charged
          granted = math.max(0, math.floor(0.001 - owed))
          owed = math.max(0, owed)
        end
        arrival = math.min(arrival + owed * window / requests, math.max(arrival, now + window))
        local free = math.floor((now + window - arrival) * requests / window + 0.01)
        local fresh = math.max(0, math.min(wanted - granted, free))
        if granted + fresh < needed then
          fresh = 0
        end
        arrival = arrival + fresh * window / requests
        if fresh > 0 or owed > 0 then
          account = account + fresh + owed
          local kept = string.format('%.0f', math.ceil((still > 0 and still or arrival - now) / 1000) + 1000)
          redis.call('SET', KEYS[1], string.format('%.2f', arrival), 'PX', kept)
          redis.call('SET', KEYS[2], string.format('%.6f', account), 'PX', kept)
        end
        local wait = 0
        local missing = math.max(1, needed - granted - fresh)
        if free - fresh < missing then
          wait = still > 0 and still or math.max(0, math.ceil(arrival + (missing - 0.01) * window / requests - window - now))
        end
        return { string.format('%.0f', granted + fresh), string.format('%.0f', math.max(0, free - fresh)), string.format('%.0f', wait),
                 string.format('%.0f', math.max(0, math.ceil(arrival - now))), string.format('%.6f', account) }
        """);

    /// <summary>Between two tries to reach a Redis that did not answer, µs.</summary>
    private const long ProbeEvery = 250_000;

    private int _suspect;
    private long _nextProbe;
    private long _awaited;

    /// <summary>Requests of this gateway that have waited for a loan so far.</summary>
    public long Awaited => Volatile.Read(ref _awaited);

    /// <summary>False: this gateway is alone, and its own count is the truth.</summary>
    public bool HasRedis => redis is not null;

    /// <summary>True while loans can be expected at once. False: decide locally.</summary>
    public bool IsUsable => redis is { IsAvailable: true } && Volatile.Read(ref _suspect) == 0;

    public void CountWaiter() => Interlocked.Increment(ref _awaited);

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
    public async ValueTask<Loan> LendAsync(LoanRequest request, CancellationToken cancellationToken)
    {
        if (redis is null)
        {
            throw new RedisUnavailableException("No Redis is configured.");
        }

        try
        {
            var reply = await redis.EvaluateAsync(
                Lend,
                [request.Bucket, request.Account],
                [
                    request.Requests, request.Window, request.Wanted, request.Needed, Decimal(request.Owed), Decimal(request.Remembered),
                    Decimal(request.Known), request.StandsStillFor,
                ],
                cancellationToken);
            Volatile.Write(ref _suspect, 0);
            var items = reply.Items;
            return new(
                items[0].AsInt64(), items[1].AsInt64(), items[2].AsInt64(), items[3].AsInt64(),
                double.Parse(items[4].AsString()!, NumberStyles.Float, CultureInfo.InvariantCulture));
        }
        catch
        {
            Suspect();
            throw;
        }

        static string Decimal(double tokens) => tokens.ToString("0.######", CultureInfo.InvariantCulture);
    }
}
