using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Catalog.Tokens;

/// <summary>
/// Counts failed authentications of a client from an address within a minute. Each replica counts for itself: secrets have 238 random bits, so this
/// keeps noise out, not guesses. By client and address, so that nobody shuts out a client from elsewhere.
/// </summary>
internal sealed class GuessLimiter(IOptions<TokenOptions> options, TimeProvider time)
{
    // Beyond that all is forgotten: an attacker with so many addresses gains a few tries, and no memory.
    private const int MostKept = 50_000;

    private readonly ConcurrentDictionary<(string Client, IPAddress? Address), (long Minute, int Failures)> _failures = new();

    /// <summary>True when it failed too often in this minute to be listened to.</summary>
    public bool IsShut(string client, IPAddress? address) =>
        _failures.TryGetValue((client, address), out var seen) && seen.Minute == Minute() && seen.Failures >= options.Value.FailuresPerMinute;

    public void Failed(string client, IPAddress? address)
    {
        if (_failures.Count > MostKept)
        {
            _failures.Clear();
        }

        var minute = Minute();
        _failures.AddOrUpdate((client, address), (minute, 1), (_, seen) => seen.Minute == minute ? (minute, seen.Failures + 1) : (minute, 1));
    }

    private long Minute() => time.GetUtcNow().Ticks / TimeSpan.TicksPerMinute;
}
