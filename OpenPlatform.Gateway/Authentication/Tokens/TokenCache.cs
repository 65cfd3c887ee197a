using System.Collections.Concurrent;
using System.Collections.Frozen;

namespace OpenPlatform.Gateway.Authentication.Tokens;

/// <summary>A token that was verified.</summary>
/// <param name="ExpiresAtTicks">UTC ticks of the first instant at which it no longer counts.</param>
/// <param name="Keys">The issuer's keys it was verified with: once they are replaced it must be verified again.</param>
/// <param name="Scopes">What it grants.</param>
internal sealed record VerifiedToken(Guid ApplicationId, long ExpiresAtTicks, IssuerEntry Issuer, KeySet Keys, FrozenSet<string> Scopes);

/// <summary>Verified tokens by their SHA-256, in two generations of at most <paramref name="capacity"/>: what is in use stays.</summary>
internal sealed class TokenCache(int capacity)
{
    private volatile ConcurrentDictionary<KeyDigest, VerifiedToken> _young = new();
    private volatile ConcurrentDictionary<KeyDigest, VerifiedToken> _old = new();
    private int _count;

    /// <summary>The token if it still counts. Allocates nothing for one that was seen lately.</summary>
    public VerifiedToken? Find(KeyDigest digest, long nowTicks)
    {
        var young = _young;
        if (!young.TryGetValue(digest, out var token))
        {
            if (!_old.TryGetValue(digest, out token))
            {
                return null;
            }

            Add(digest, token);
        }

        return nowTicks < token.ExpiresAtTicks && ReferenceEquals(token.Keys, token.Issuer.Keys.Current) ? token : null;
    }

    public void Add(KeyDigest digest, VerifiedToken token)
    {
        if (capacity == 0)
        {
            return;
        }

        if (Interlocked.Increment(ref _count) > capacity)
        {
            // Two threads here at once forget more than they must; nothing worse.
            _old = _young;
            _young = new();
            Volatile.Write(ref _count, 1);
        }

        _young[digest] = token;
    }
}
