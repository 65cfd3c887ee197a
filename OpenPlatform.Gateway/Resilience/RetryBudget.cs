namespace OpenPlatform.Gateway.Resilience;

/// <summary>
/// Further tries of a backend, at most a tenth of its requests: when everything fails, retrying everything would only make it worse. Each
/// request brings a tenth of a token; a try takes one. Full, it holds enough for the moment in which one instance of a busy backend dies.
/// </summary>
internal sealed class RetryBudget
{
    /// <summary>In tenths of a try.</summary>
    private const int Try = 10;

    public const int Burst = 100;

    private int _tenths = Burst * Try;

    /// <summary>A request has come. While the budget is full, which is nearly always, only a read.</summary>
    public void Earn()
    {
        if (Volatile.Read(ref _tenths) < Burst * Try)
        {
            Interlocked.Increment(ref _tenths);
        }
    }

    /// <summary>True: one more try is paid for.</summary>
    public bool TrySpend()
    {
        if (Interlocked.Add(ref _tenths, -Try) >= 0)
        {
            return true;
        }

        Interlocked.Add(ref _tenths, Try);
        return false;
    }
}
