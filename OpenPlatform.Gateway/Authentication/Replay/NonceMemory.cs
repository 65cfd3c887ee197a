namespace OpenPlatform.Gateway.Authentication.Replay;

/// <summary>
/// The nonces that this gateway has seen, in two generations: a full or aged young one becomes the old one, and the old one is
/// forgotten. So a nonce is remembered for at least <paramref name="keep"/>, unless more than half of <paramref name="capacity"/>
/// come within that time: then the oldest go first.
/// </summary>
internal sealed class NonceMemory(int capacity, TimeSpan keep, TimeProvider time)
{
    private readonly Lock _lock = new();
    private HashSet<UInt128> _young = [];
    private HashSet<UInt128> _old = [];
    private long _born = time.GetTimestamp();

    /// <summary>False when the nonce is known.</summary>
    public bool TryAdd(UInt128 nonce)
    {
        lock (_lock)
        {
            var age = time.GetElapsedTime(_born);
            if (_young.Count >= capacity / 2 || age >= keep)
            {
                (_young, _old) = (_old, _young);
                if (age >= keep + keep)
                {
                    _old.Clear(); // nobody came for so long that these are over, too
                }

                _young.Clear();
                _born = time.GetTimestamp();
            }

            return !_old.Contains(nonce) && _young.Add(nonce);
        }
    }

    /// <summary>True when the nonce is known; it is not added.</summary>
    public bool Contains(UInt128 nonce)
    {
        lock (_lock)
        {
            return _young.Contains(nonce) || _old.Contains(nonce);
        }
    }
}
