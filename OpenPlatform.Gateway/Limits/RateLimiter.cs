using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Limits;

/// <summary>What a limiter says at once.</summary>
internal enum LimitDecision
{
    Allowed,
    Refused,

    /// <summary>A loan is needed: ask again with <see cref="RateLimiter.WaitAsync"/>.</summary>
    Wait,
}

/// <summary>
/// One limit, on this gateway. Units are borrowed in blocks from the bucket in Redis that all gateways share, ahead of need while that
/// bucket is well filled, no more than needed when it runs low (so that near the limit none lies unused on another gateway) or
/// when the limit is to be exact. Without Redis the limit divided by the number of live gateways holds, in a local bucket that has
/// counted along all the time; what was served then is paid back when Redis returns, so neither change gives a burst.
/// A quota is the same bucket on a clock that stands still for a calendar period; what neither this gateway nor Redis remembers of it, the catalog knows.
/// </summary>
internal sealed partial class RateLimiter
{
    /// <summary>Timers of callers may fire this much early, µs: the kernel's coarse clock ticks every 4 ms.</summary>
    private const long PromiseTolerance = 10_000;

    private readonly long _block;
    private readonly TokenLender _lender;
    private readonly MonotonicClock _clock;
    private readonly GatewayCount _gateways;
    private readonly TimeProvider _time;

    private LocalBucket _local;
    private long _tokens;
    private long _tokensUntil;
    private long _left;
    private long _emptyUntil;
    private long _emptyFor;
    private long _fullAt;
    private long _unpaid;
    private int _recovering = 1;
    private long _promise;

    public RateLimiter(string key, RateLimit limit, TimeSpan loanDeadline, TokenLender lender, MonotonicClock clock, GatewayCount gateways, TimeProvider time, QuotaOwner? owner = null)
    {
        Key = key;
        Limit = limit;

        // A hundredth of the limit: what may lie unused on a gateway. Small limits: one by one.
        _block = limit.Exact ? 1 : Math.Clamp(limit.Capacity / 100, 1, 10_000);
        _deadline = loanDeadline;
        _lender = lender;
        _clock = clock;
        _gateways = gateways;
        _time = time;
        _owner = owner;
        LastUsed = clock.Now;
        BeginPeriod(LastUsed);
    }

    public string Key { get; }

    public RateLimit Limit { get; }

    public bool IsQuota => Limit.Period is not null;

    /// <summary>µs of the clock; idle limiters are forgotten.</summary>
    public long LastUsed { get; private set; }

    /// <summary>True when forgetting this limiter loses nothing.</summary>
    public bool IsIdle(long now) => now - LastUsed > (2 * Limit.Window) + 1_000_000 && Volatile.Read(ref _unpaid) == 0;

    /// <summary>µs that one unit costs in this gateway's share of the limit.</summary>
    private double Interval() => (double)Limit.Window / Limit.Capacity * _gateways.Live;

    /// <summary>Takes <paramref name="cost"/> units if that can be decided now. Allocates nothing (a loan ahead of need does, once per block).</summary>
    /// <param name="wait">When refused: µs until they are there.</param>
    public LimitDecision TryTake(long cost, out long wait)
    {
        cost = Math.Min(cost, Limit.Capacity); // an operation dearer than the whole limit takes all of it
        var now = _clock.Now;
        LastUsed = now;
        wait = 0;
        if (now >= _periodEnd)
        {
            BeginPeriod(now);
        }

        if (TrySpend(now, cost))
        {
            return LimitDecision.Allowed;
        }

        if (MustAskCatalog(now))
        {
            return LimitDecision.Wait;
        }

        return !_lender.IsUsable || now < Volatile.Read(ref _aloneUntil) ? TakeLocally(now, cost, out wait)
            : IsEmpty(now, cost, out wait) ? Refuse(now, cost, shared: true, ref wait)
            : LimitDecision.Wait;
    }

    /// <summary>Undoes <see cref="TryTake"/> when another limit refused.</summary>
    public void GiveBack(long cost)
    {
        // It was paid for, wherever it came from: it becomes units in hand, and is counted again when it is spent.
        cost = Math.Min(cost, Limit.Capacity);
        var now = _clock.Now;
        _local.Refund(cost * Interval());
        if (Volatile.Read(ref _tokensUntil) <= now)
        {
            Volatile.Write(ref _tokens, 0);
            Volatile.Write(ref _tokensUntil, now + Limit.Window);
        }

        Interlocked.Add(ref _tokens, cost);
    }

    /// <summary>µs until <paramref name="cost"/> units are there, as far as this gateway knows; takes none.</summary>
    public long Wait(long cost)
    {
        cost = Math.Min(cost, Limit.Capacity);
        var now = _clock.Now;
        if (Volatile.Read(ref _tokens) >= cost && now < Volatile.Read(ref _tokensUntil))
        {
            return 0;
        }

        long wait;
        if (_lender.IsUsable)
        {
            return IsEmpty(now, cost, out wait) ? wait : 0;
        }

        wait = _local.Wait(BucketTime(now), cost * Interval(), Limit.Window);
        return wait > 0 && IsQuota ? _periodEnd - now : wait;
    }

    /// <summary>Units left, as far as this gateway knows, and seconds until all are back; when none is left: until one is.</summary>
    public (long Left, long ResetSeconds) Remaining()
    {
        var now = _clock.Now;
        long left, reset;
        if (_lender.IsUsable)
        {
            left = Math.Max(0, Volatile.Read(ref _tokens)) + Volatile.Read(ref _left);
            reset = Volatile.Read(ref _fullAt) - now;
        }
        else
        {
            reset = _local.Level(BucketTime(now));
            left = (long)((Limit.Window - Math.Min(reset, Limit.Window)) / Interval());
        }

        return (left, Seconds(IsQuota ? _periodEnd - now : reset));
    }

    /// <summary>Whole seconds, rounded up, at least 1: a caller that waits them finds a token.</summary>
    public static long Seconds(long microseconds) => Math.Max(1, (microseconds + 999_999) / 1_000_000);

    private bool TrySpend(long now, long cost)
    {
        var tokens = Volatile.Read(ref _tokens);
        while (tokens >= cost)
        {
            // Older than the window: the shared bucket has long refilled without them, spending them now would be a burst.
            var valid = now < Volatile.Read(ref _tokensUntil);
            var keep = valid ? tokens - cost : 0;
            var seen = Interlocked.CompareExchange(ref _tokens, keep, tokens);
            if (seen != tokens)
            {
                tokens = seen;
                continue;
            }

            if (!valid)
            {
                return false;
            }

            _local.Charge(BucketTime(now), cost * Interval(), Limit.Window);
            if (keep <= _block / 2 && !Limit.Exact && Volatile.Read(ref _left) > 8 * _block && _lender.IsUsable && Volatile.Read(ref _loan) is null)
            {
                _ = BeginLoan(1);
            }

            return true;
        }

        return false;
    }

    private LimitDecision TakeLocally(long now, long cost, out long wait)
    {
        if (Interlocked.Exchange(ref _recovering, 1) == 0)
        {
            // What the others have used is used here too.
            _local.AtLeast(_unheard ? UnheardLevel() : Volatile.Read(ref _fullAt));
        }

        if (Volatile.Read(ref _loan) is null && _lender.MayProbe())
        {
            _ = BeginLoan(1);
        }

        if (!_local.TryTake(BucketTime(now), cost * Interval(), Limit.Window, out wait))
        {
            wait = IsQuota ? _periodEnd - now : wait;
            return Refuse(now, cost, shared: false, ref wait);
        }

        Interlocked.Add(ref _unpaid, cost);
        return LimitDecision.Allowed;
    }

    /// <summary>True while the shared bucket is known not to hold <paramref name="cost"/> units.</summary>
    private bool IsEmpty(long now, long cost, out long wait)
    {
        wait = Volatile.Read(ref _emptyUntil) - now;
        var dearer = cost - Volatile.Read(ref _emptyFor);
        if (wait <= 0 || dearer < 0)
        {
            return false;
        }

        wait += IsQuota ? 0 : (long)((double)Limit.Window / Limit.Capacity * dearer);
        return true;
    }

    /// <summary>
    /// The shared bucket and the local one fill at different times. Who was told by the one when to come again, and meets the other
    /// when he does, is served, once, on credit: a caller who obeys <c>Retry-After</c> does not notice that Redis went or came.
    /// </summary>
    private LimitDecision Refuse(long now, long cost, bool shared, ref long wait)
    {
        if (IsQuota)
        {
            return LimitDecision.Refused;
        }

        var promise = Volatile.Read(ref _promise); // µs of the clock; negative: by the local bucket
        var due = Math.Abs(promise);
        if (promise != 0 && promise > 0 != shared && now >= due - PromiseTolerance && Interlocked.CompareExchange(ref _promise, 0, promise) == promise)
        {
            _local.Charge(now, cost * Interval(), Limit.Window);
            Interlocked.Add(ref _unpaid, cost);
            wait = 0;
            return LimitDecision.Allowed;
        }

        if (promise == 0 || (promise > 0 == shared && now >= due))
        {
            var next = now + (Seconds(wait) * 1_000_000);
            Interlocked.CompareExchange(ref _promise, shared ? next : -next, promise);
        }

        return LimitDecision.Refused;
    }
}
