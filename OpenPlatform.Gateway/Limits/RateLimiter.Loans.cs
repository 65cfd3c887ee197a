using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.Gateway.Limits;

/// <summary>How a limiter borrows, and how it waits for it.</summary>
internal sealed partial class RateLimiter
{
    /// <summary>Between two questions to a catalog that did not answer, µs.</summary>
    private const long AskEvery = 1_000_000;

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

    // True until the first loan of the period: Redis has not told what other gateways have used.
    private bool _unheard;

    // Of a quota of which this gateway has not counted since the period began, until Redis or the catalog has said what is used: ask before
    // anything is taken for granted.
    private readonly QuotaOwner? _owner;
    private DateTimeOffset _periodBegin;
    private bool _mustAsk;
    private long _baseline;
    private long _aloneUntil; // µs of the clock: the catalog did not answer, do not ask again before
    private Task? _asking;

    /// <summary>The time by which buckets fill: in a calendar period it stands still.</summary>
    private long BucketTime(long now) => IsQuota ? 0 : now;

    /// <summary>Waits for a loan, at most as long as the options say; then decides locally.</summary>
    public async ValueTask<(LimitDecision Decision, long Wait)> WaitAsync(long cost)
    {
        cost = Math.Min(cost, Limit.Capacity);
        var deadline = _clock.Now + (long)_deadline.TotalMicroseconds;
        Interlocked.Add(ref _waiting, cost);
        _lender.CountWaiter();
        try
        {
            if (!_lender.IsUsable && Volatile.Read(ref _mustAsk))
            {
                await InTimeAsync(AskCatalog(), deadline);
                return (TakeLocally(_clock.Now, cost, out var alone), alone);
            }

            while (true)
            {
                // The loan serves all who wait, and it may be another waiter who gets its tokens: then there is the next loan.
                var loan = BeginLoan(cost);
                if (!await InTimeAsync(loan, deadline) && Volatile.Read(ref _asking) is null)
                {
                    _lender.Suspect();
                }

                var now = _clock.Now;
                if (TrySpend(now, cost))
                {
                    return (LimitDecision.Allowed, 0);
                }

                if (!_lender.IsUsable || now >= deadline || now < Volatile.Read(ref _aloneUntil))
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

    /// <summary>Waits for a loan, or for the catalog; false: it took too long, and until it comes nobody waits for it any more.</summary>
    private async ValueTask<bool> InTimeAsync(Task task, long deadline)
    {
        if (!task.IsCompleted)
        {
            using var stop = new CancellationTokenSource();
            var first = await Task.WhenAny(task, Task.Delay(TimeSpan.FromMicroseconds(Math.Max(1, deadline - _clock.Now)), _time, stop.Token));
            await stop.CancelAsync();
            if (first != task)
            {
                if (Volatile.Read(ref _asking) is not null)
                {
                    Volatile.Write(ref _aloneUntil, _clock.Now + AskEvery);
                }

                return false;
            }
        }

        return true;
    }

    /// <summary>True when a request of a quota should wait for what the catalog knows, because Redis cannot say it.</summary>
    private bool MustAskCatalog(long now) => Volatile.Read(ref _mustAsk) && !_lender.IsUsable && now >= Volatile.Read(ref _aloneUntil);

    private Task AskCatalog()
    {
        lock (_loanLock)
        {
            return _asking ??= Task.Run(AskCatalogAsync);
        }
    }

    private async Task AskCatalogAsync()
    {
        var begin = _periodBegin;
        var used = await _owner!.UsedAsync(begin);
        lock (_loanLock)
        {
            _asking = null;
            if (begin != _periodBegin || !_mustAsk)
            {
                return;
            }

            if (used is not { } units)
            {
                Volatile.Write(ref _aloneUntil, _clock.Now + AskEvery);
                return;
            }

            _baseline = units;
            Volatile.Write(ref _mustAsk, false);
            Volatile.Write(ref _aloneUntil, 0);

            // What was given on trust is counted with what the catalog knows, no longer with the worst.
            _local.Restart(UnheardLevel() + (long)(Volatile.Read(ref _unpaid) * Interval()));
        }
    }

    /// <summary>How full the local bucket is of a quota of which Redis has not told: what the catalog knows, or all but a hundredth (at least one unit).</summary>
    private long UnheardLevel() => !Volatile.Read(ref _mustAsk) && _owner is not null
        ? (long)Math.Min(Limit.Window, _baseline * ((double)Limit.Window / Limit.Capacity))
        : Math.Max(0, Limit.Window - Math.Max(Limit.Window / 100, (long)Math.Ceiling(Interval())));

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
            var request = new LoanRequest(
                bucket, $"{bucket}:{_account}", Limit.Capacity, Limit.Window, Math.Max(Math.Max(_block, needed), Volatile.Read(ref _waiting) - inHand), needed)
            {
                Owed = recovering ? Math.Min(owed, level / Interval()) : owed,
                Remembered = _mustAsk ? LoanRequest.Unknown : _unheard ? _baseline + owed : remembered,
                Known = _known,
                StandsStillFor = IsQuota ? Math.Max(1, _periodEnd - now) : 0,
            };
            var loan = await _lender.LendAsync(request, CancellationToken.None);
            if (loan.IsForgotten)
            {
                await AskCatalog();
                if (_mustAsk || bucket != _bucket)
                {
                    return; // the catalog is away, too
                }

                loan = await _lender.LendAsync(request with { Remembered = _baseline + owed }, CancellationToken.None);
            }

            paid = true;
            if (bucket != _bucket)
            {
                return; // of a period that has ended meanwhile
            }

            Volatile.Write(ref _mustAsk, false);

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
                _periodBegin = begin;
                _baseline = _aloneUntil = 0;
                _mustAsk = _owner?.MustAsk(begin) == true;
                _unheard = _lender.HasRedis || _mustAsk;
                Volatile.Write(ref _periodEnd, now + (long)(end - utc).TotalMicroseconds);
            }
        }
    }
}
