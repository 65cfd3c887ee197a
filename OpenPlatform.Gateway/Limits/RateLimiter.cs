using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.ServiceDefaults.Redis;

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
/// One limit of one application under one plan, on this gateway. Tokens are borrowed in blocks from the bucket in Redis that all
/// gateways share, ahead of need while that bucket is well filled, one by one when it runs low (so that near the limit no token
/// lies unused on another gateway). Without Redis the limit divided by the number of live gateways holds, in a local bucket that
/// has counted along all the time; what was served then is paid back when Redis returns, so neither change gives a burst.
/// </summary>
internal sealed class RateLimiter
{
    private readonly string _key;
    private readonly string _account;
    private readonly long _requests;
    private readonly long _window;
    private readonly long _block;
    private readonly TokenLender _lender;
    private readonly MonotonicClock _clock;
    private readonly GatewayCount _gateways;
    private readonly TimeProvider _time;
    private readonly TimeSpan _deadline;
    private readonly Lock _loanLock = new();

    /// <summary>Timers of callers may fire this much early, µs: the kernel's coarse clock ticks every 4 ms.</summary>
    private const long PromiseTolerance = 10_000;

    private LocalBucket _local;
    private long _tokens;
    private long _tokensUntil;
    private long _left;
    private long _emptyUntil;
    private long _fullAt;
    private long _unpaid;
    private double _known;
    private long _promise;
    private int _recovering = 1;
    private int _waiting;
    private Task? _loan;

    public RateLimiter(string key, RateLimitModel limit, TimeSpan loanDeadline, TokenLender lender, MonotonicClock clock, GatewayCount gateways, TimeProvider time)
    {
        _key = key;
        _account = $"{key}:{Random.Shared.NextInt64():x}"; // a limiter that was forgotten and made anew has another
        _requests = limit.Requests;
        _window = limit.WindowSeconds * 1_000_000L;

        // A hundredth of the limit: what may lie unused on a gateway. Small limits: one by one.
        _block = Math.Clamp(_requests / 100, 1, 10_000);
        _deadline = loanDeadline;
        _lender = lender;
        _clock = clock;
        _gateways = gateways;
        _time = time;
        Name = RateLimitFields.Name(limit);
        LastUsed = clock.Now;
    }

    public string Name { get; }

    /// <summary>µs of the clock; idle limiters are forgotten.</summary>
    public long LastUsed { get; private set; }

    /// <summary>True when forgetting this limiter loses nothing.</summary>
    public bool IsIdle(long now) => now - LastUsed > (2 * _window) + 1_000_000 && Volatile.Read(ref _unpaid) == 0;

    /// <summary>µs that one request costs in this gateway's share of the limit.</summary>
    private double Interval() => (double)_window / _requests * _gateways.Live;

    /// <summary>Takes a token if that can be decided now. Allocates nothing (a loan ahead of need does, once per block).</summary>
    /// <param name="wait">When refused: µs until a token is there.</param>
    public LimitDecision TryTake(out long wait)
    {
        var now = _clock.Now;
        LastUsed = now;
        wait = 0;
        if (TrySpend(now))
        {
            return LimitDecision.Allowed;
        }

        if (!_lender.IsUsable)
        {
            return TakeLocally(now, out wait);
        }

        var until = Volatile.Read(ref _emptyUntil);
        if (now < until)
        {
            return Refuse(now, until - now, shared: true, out wait);
        }

        return LimitDecision.Wait;
    }

    /// <summary>Waits for a loan, at most as long as the options say; then decides locally.</summary>
    public async ValueTask<(LimitDecision Decision, long Wait)> WaitAsync()
    {
        var deadline = _clock.Now + (long)_deadline.TotalMicroseconds;
        Interlocked.Increment(ref _waiting);
        try
        {
            while (true)
            {
                // The loan serves all who wait, and it may be another waiter who gets its tokens: then there is the next loan.
                var loan = BeginLoan();
                var left = TimeSpan.FromMicroseconds(Math.Max(1, deadline - _clock.Now));
                if (!loan.IsCompleted)
                {
                    using var stop = new CancellationTokenSource();
                    var first = await Task.WhenAny(loan, Task.Delay(left, _time, stop.Token));
                    await stop.CancelAsync();
                    if (first != loan)
                    {
                        _lender.Suspect();
                    }
                }

                var now = _clock.Now;
                if (TrySpend(now))
                {
                    return (LimitDecision.Allowed, 0);
                }

                if (!_lender.IsUsable || now >= deadline)
                {
                    return (TakeLocally(now, out var localWait), localWait);
                }

                var until = Volatile.Read(ref _emptyUntil);
                if (now < until)
                {
                    return (Refuse(now, until - now, shared: true, out var wait), wait);
                }
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>Undoes <see cref="TryTake"/> when another limit of the plan refused.</summary>
    public void GiveBack()
    {
        // It was paid for, wherever it came from: it becomes a token in hand, and is counted again when it is spent.
        var now = _clock.Now;
        _local.Refund(Interval());
        if (Volatile.Read(ref _tokensUntil) <= now)
        {
            Volatile.Write(ref _tokens, 0);
            Volatile.Write(ref _tokensUntil, now + _window);
        }

        Interlocked.Increment(ref _tokens);
    }

    /// <summary>Requests left, as far as this gateway knows, and seconds until all are back.</summary>
    public (long Left, long ResetSeconds) Remaining()
    {
        var now = _clock.Now;
        if (_lender.IsUsable)
        {
            return (Math.Max(0, Volatile.Read(ref _tokens)) + Volatile.Read(ref _left), Seconds(Volatile.Read(ref _fullAt) - now));
        }

        var level = _local.Level(now);
        return ((long)((_window - Math.Min(level, _window)) / Interval()), Seconds(level));
    }

    /// <summary>Whole seconds, rounded up, at least 1: a caller that waits them finds a token.</summary>
    public static long Seconds(long microseconds) => Math.Max(1, (microseconds + 999_999) / 1_000_000);

    private bool TrySpend(long now)
    {
        var tokens = Volatile.Read(ref _tokens);
        while (tokens > 0)
        {
            // Older than the window: the shared bucket has long refilled without them, spending them now would be a burst.
            var keep = now < Volatile.Read(ref _tokensUntil) ? tokens - 1 : 0;
            var seen = Interlocked.CompareExchange(ref _tokens, keep, tokens);
            if (seen != tokens)
            {
                tokens = seen;
                continue;
            }

            if (keep == 0 && now >= Volatile.Read(ref _tokensUntil))
            {
                return false;
            }

            _local.Charge(now, Interval(), _window);
            if (keep <= _block / 2 && Volatile.Read(ref _left) > 8 * _block && _lender.IsUsable && Volatile.Read(ref _loan) is null)
            {
                _ = BeginLoan();
            }

            return true;
        }

        return false;
    }

    private LimitDecision TakeLocally(long now, out long wait)
    {
        Volatile.Write(ref _recovering, 1);
        if (Volatile.Read(ref _loan) is null && _lender.MayProbe())
        {
            _ = BeginLoan();
        }

        if (!_local.TryTake(now, Interval(), _window, out wait))
        {
            return Refuse(now, wait, shared: false, out wait);
        }

        Interlocked.Increment(ref _unpaid);
        return LimitDecision.Allowed;
    }

    /// <summary>
    /// The shared bucket and the local one fill at different times. Who was told by the one when to come again, and meets the other
    /// when he does, is served, once, on credit: a caller who obeys <c>Retry-After</c> does not notice that Redis went or came.
    /// </summary>
    private LimitDecision Refuse(long now, long untilToken, bool shared, out long wait)
    {
        wait = untilToken;
        var promise = Volatile.Read(ref _promise); // µs of the clock; negative: by the local bucket
        var due = Math.Abs(promise);
        if (promise != 0 && promise > 0 != shared && now >= due - PromiseTolerance && Interlocked.CompareExchange(ref _promise, 0, promise) == promise)
        {
            _local.Charge(now, Interval(), _window);
            Interlocked.Increment(ref _unpaid);
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

    private Task BeginLoan()
    {
        lock (_loanLock)
        {
            if (_loan is not null)
            {
                return _loan;
            }

            // On its own thread of execution: a request that only triggers a loan ahead of need does not pay for it.
            var loan = Task.Run(BorrowAsync);
            return _loan = loan;
        }
    }

    private async Task BorrowAsync()
    {
        var owed = Interlocked.Exchange(ref _unpaid, 0);
        var paid = false;
        try
        {
            var recovering = Volatile.Read(ref _recovering) == 1;
            // The local bucket counted along: what it no longer holds has refilled since it was served, and is not owed any more
            // (or a caller who waited as long as the local bucket asked would be refused by the shared one).
            var level = recovering ? _local.Level(_clock.Now) / Interval() : owed;
            var wanted = Math.Max(_block, Volatile.Read(ref _waiting));
            var loan = await _lender.LendAsync(
                new(_key, _account, _requests, _window, wanted, Math.Min(owed, level), level, _known), CancellationToken.None);
            paid = true;
            _known = loan.Account;
            Volatile.Write(ref _recovering, 0);

            var now = _clock.Now;
            Volatile.Write(ref _left, loan.Left);
            Volatile.Write(ref _fullAt, now + loan.FullMicroseconds);
            if (loan.Granted > 0)
            {
                Volatile.Write(ref _tokensUntil, now + _window);
                Interlocked.Add(ref _tokens, loan.Granted);
            }
            else
            {
                Volatile.Write(ref _emptyUntil, now + Math.Max(1, loan.WaitMicroseconds));
            }
        }
        catch (Exception e) when (e is RedisUnavailableException or RedisServerException or FormatException or InvalidOperationException)
        {
            // The lender has marked Redis as suspect; until it answers again the local bucket decides.
        }
        finally
        {
            if (!paid)
            {
                Interlocked.Add(ref _unpaid, owed);
            }

            lock (_loanLock)
            {
                _loan = null;
            }
        }
    }
}
