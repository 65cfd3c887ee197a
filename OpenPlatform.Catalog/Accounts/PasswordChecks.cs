namespace OpenPlatform.Catalog.Accounts;

/// <summary>
/// Checks passwords, few at once. Each takes a tenth of a second of a processor, and anybody may ask for one under any name: without a bound, strangers
/// would take the time away that changes and usage need.
/// </summary>
internal sealed class PasswordChecks : IDisposable
{
    /// <summary>Half of the processors, one at least.</summary>
    public static readonly int MostAtOnce = Math.Max(1, Environment.ProcessorCount / 2);

    /// <summary>Who comes behind so many others is sent away at once: it would wait for longer than people do.</summary>
    private const int MostWaiting = 64;

    private readonly SemaphoreSlim _turn = new(MostAtOnce, MostAtOnce);
    private int _waiting;
    private int _peak;

    /// <summary>The most that ever ran at once.</summary>
    public int Peak => Volatile.Read(ref _peak);

    /// <summary>What <paramref name="check"/> says in its turn; false in the first part when too many are before it.</summary>
    public async Task<(bool HadTurn, T? Result)> RunAsync<T>(Func<Task<T>> check, CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _waiting) > MostWaiting + MostAtOnce)
        {
            Interlocked.Decrement(ref _waiting);
            return (false, default);
        }

        try
        {
            await _turn.WaitAsync(cancellationToken);
            try
            {
                Volatile.Write(ref _peak, Math.Max(_peak, MostAtOnce - _turn.CurrentCount));
                // Not on the thread of the request: those answer others meanwhile.
                return (true, await Task.Run(check, cancellationToken));
            }
            finally
            {
                _turn.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    public void Dispose() => _turn.Dispose();
}
