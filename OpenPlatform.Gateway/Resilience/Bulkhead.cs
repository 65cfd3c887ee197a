using System.Collections.Concurrent;

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

/// <summary>The bulkheads of the applications at one API version: made at an application's first request.</summary>
internal sealed class ApplicationBulkheads
{
    private readonly ConcurrentDictionary<Guid, Bulkhead> _bulkheads = new();
    private volatile int _max;

    public int Max
    {
        get => _max;
        set
        {
            _max = value;
            foreach (var bulkhead in _bulkheads.Values)
            {
                bulkhead.Max = value;
            }
        }
    }

    public Bulkhead Of(Guid applicationId) => _bulkheads.TryGetValue(applicationId, out var bulkhead) ? bulkhead
        : _bulkheads.GetOrAdd(applicationId, static (_, max) => new() { Max = max }, _max);
}
