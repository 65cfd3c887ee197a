namespace OpenPlatform.Gateway.Resilience;

/// <summary>Counts what is under way and lets no more than <see cref="Max"/> in.</summary>
internal sealed class Bulkhead
{
    private int _inside;

    public int Max { get; set; }

    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _inside) <= Max)
        {
            return true;
        }

        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _inside);
}
