using Microsoft.Extensions.Primitives;

namespace OpenPlatform.Gateway.Degradation;

/// <summary>What an answer is kept under. Parts, not one text: a decoded path may hold any character that could separate them.</summary>
/// <param name="Host">The backend is told it and may write it into the answer.</param>
internal readonly record struct CacheKey(Guid VersionId, Guid BackendId, string Scheme, string Host, string Path, string Query);

/// <summary>One kept answer to GET; several of a key differ in the application or in what <c>Vary</c> names.</summary>
/// <param name="Application">Whose it is; <see cref="Guid.Empty"/>: everybody's.</param>
/// <param name="Vary">Names of request headers and the values they had.</param>
/// <param name="StoredAt">UTC ticks.</param>
/// <param name="AgeSeconds">The age it came with.</param>
/// <param name="FreshSeconds">How long it is fresh, counted from age 0.</param>
/// <param name="StaleSeconds">How much longer it may stand in for a failed answer.</param>
internal sealed record CachedAnswer(
    CacheKey Key, Guid Application, (string Name, string Value)[] Vary, KeyValuePair<string, StringValues>[] Headers, byte[] Body,
    long StoredAt, long AgeSeconds, long FreshSeconds, long StaleSeconds)
{
    /// <summary>Used since the cache last looked for room.</summary>
    public bool Touched { get; set; }

    /// <summary>No longer in the cache; its place in the queue is.</summary>
    public bool Removed { get; set; }

    /// <summary>In bytes, near enough: what a small answer costs beside its content is estimated.</summary>
    public long Size { get; } = 512 + Body.Length + (2L * (Key.Host.Length + Key.Path.Length + Key.Query.Length + Vary.Sum(static v => v.Value.Length) + Headers.Sum(static h => h.Key.Length + h.Value.ToString().Length)));

    public long Age(DateTimeOffset now) => AgeSeconds + Math.Max(0, (now.UtcTicks - StoredAt) / TimeSpan.TicksPerSecond);

    public bool IsFresh(DateTimeOffset now) => Age(now) < FreshSeconds;

    public bool MayStandIn(DateTimeOffset now) => IsFresh(now) || (StaleSeconds > 0 && Age(now) < FreshSeconds + StaleSeconds);

    public bool Answers(Guid application, IHeaderDictionary request)
    {
        if (Application != application && Application != Guid.Empty)
        {
            return false;
        }

        foreach (var (name, value) in Vary)
        {
            if (!string.Equals(request[name].ToString(), value, StringComparison.Ordinal))
            {
                return false;
            }
        }

        return true;
    }
}
