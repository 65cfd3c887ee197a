using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.Gateway.Limits;

/// <summary>How a limiter borrows, and how it waits for it.</summary>
internal sealed partial class RateLimiter
{
    private static long _awaited;

    private readonly TimeSpan _deadline;
    private readonly Lock _loanLock = new();
    private long _waiting; // units
    private Task? _loan;

    // What Redis knows this gateway by; a limiter that was forgotten and made anew has another account.
    private readonly string _account = $"{Random.Shared.NextInt64():x}";
    private double _known;

    // Of a quota: its key and its end, µs of the clock. A bucket that fills all the time has one endless period.
    private string _bucket = "";
    private long _periodEnd = long.MaxValue;

    // True until the first loan of the period: nobody knows what other gateways have used.
    private bool _unheard;

    /// <summary>Requests of this process that have waited for a loan so far.</summary>
    public static long Awaited => Volatile.Read(ref _awaited);

    /// <summary>The time by which buckets fill: in a calendar period it stands still.</summary>
    private long BucketTime(long now) => IsQuota ? 0 : now;

    /// <summary>Waits for a loan, at most as long as the options say; then decides locally.</summary>
    public async ValueTask<(LimitDecision Decision, long Wait)> WaitAsync(long cost)
    {
        cost = Math.Min(cost, Limit.Capacity);
        var deadline = _clock.Now + (long)_deadline.TotalMicroseconds;
        Interlocked.Add(ref _waiting, cost);
        Interlocked.Increment(ref _awaited);
        try
        {
            while (true)
            {
                // The loan serves all who wait, and it may be another waiter who gets its tokens: then there is the next loan.
                var loan = BeginLoan(cost);
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
                if (TrySpend(now, cost))
                {
                    return (LimitDecision.Allowed, 0);
                }

                if (!_lender.IsUsable || now >= deadline)
                {
                    return (TakeLocally(now, cost, out var localWait), localWait);
                }

                if (IsEmpty(now, cost, out var wait))
                {
                    return (Refuse(now, cost, shared: true, ref wait), wait);
                }
            }
        }
        finally
        {
            Interlocked.Add(ref _waiting, -cost);
        }
    }

    /// <param name="cost">What the one who asks needs at least; less than that is not lent.</param>
    private Task BeginLoan(long cost)
    {
        lock (_loanLock)
        {
            // On its own thread of execution: a request that only triggers a loan ahead of need does not pay for it.
            return _loan ??= Task.Run(() => BorrowAsync(cost));
        }
    }

    private async Task BorrowAsync(long cost)
    {
        var owed = Interlocked.Exchange(ref _unpaid, 0);
        var paid = false;
        try
        {
            var bucket = _bucket;
            var now = _clock.Now;

            // The local bucket counted along: what it no longer holds has refilled since it was served, and is not owed any more
            // (or a caller who waited as long as the local bucket asked would be refused by the shared one). If Redis has forgotten
            // the bucket, the fuller of what both held, as last seen, is the best that anybody knows.
            var recovering = Volatile.Read(ref _recovering) == 1;
            var level = _local.Level(BucketTime(now));
            var remembered = Math.Max(level, Volatile.Read(ref _fullAt) - BucketTime(now)) * ((double)Limit.Capacity / Limit.Window);
            var inHand = now < Volatile.Read(ref _tokensUntil) ? Volatile.Read(ref _tokens) : 0;
            var needed = Math.Clamp(cost - inHand, 1, Limit.Capacity);
            var loan = await _lender.LendAsync(
                new(bucket, $"{bucket}:{_account}", Limit.Capacity, Limit.Window, Math.Max(Math.Max(_block, needed), Volatile.Read(ref _waiting) - inHand), needed)
                {
                    Owed = recovering ? Math.Min(owed, level / Interval()) : owed,
                    Remembered = _unheard ? owed : remembered,
                    Known = _known,
                    StandsStillFor = IsQuota ? Math.Max(1, _periodEnd - now) : 0,
                },
                CancellationToken.None);
            paid = true;
            if (bucket != _bucket)
            {
                return; // of a period that has ended meanwhile
            }

            _known = loan.Account;
            _unheard = false;
            Volatile.Write(ref _recovering, 0);
            now = _clock.Now;
            Volatile.Write(ref _left, loan.Left);
            Volatile.Write(ref _fullAt, BucketTime(now) + loan.FullMicroseconds);
            if (loan.Granted > 0)
            {
                Volatile.Write(ref _tokensUntil, IsQuota ? _periodEnd : now + Limit.Window);
                Interlocked.Add(ref _tokens, loan.Granted);
            }
            else
            {
                Volatile.Write(ref _emptyFor, cost);
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

    /// <summary>A new calendar period: everything is back. For a limit that fills all the time: the only one.</summary>
    private void BeginPeriod(long now)
    {
        lock (_loanLock)
        {
            if (Limit.Period is null)
            {
                _bucket = Key;
            }
            else if (_bucket.Length == 0 || now >= _periodEnd)
            {
                var utc = _time.GetUtcNow();
                var (begin, end) = RateLimit.PeriodOf(Limit.Period, utc);
                _bucket = $"{Key}:{begin:yyyyMMdd}";
                _local = default;
                _tokens = _left = _emptyUntil = _unpaid = _promise = 0;
                _known = 0;

                _fullAt = 0;
                _recovering = 0;
                _unheard = _lender.HasRedis;
                Volatile.Write(ref _periodEnd, now + (long)(end - utc).TotalMicroseconds);
            }
        }
    }
}
