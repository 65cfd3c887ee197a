using System.Runtime.InteropServices;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Authentication;

/// <summary>
/// The key that a keep-alive connection presented last and what it stood for, so that it is hashed once a connection, and again when its segment changed: a hash costs
/// about as much as all other decisions together. HTTP/1 only, where a connection has one request at a time.
/// </summary>
internal sealed class KnownKey
{
    private char[] _key = [];
    private CredentialSegment? _within;
    private int _segment;
    private CredentialEntry? _credential;

    /// <summary>The credential, when it is the same key and nothing changed in its segment. Takes the same time wherever the keys differ.</summary>
    public CredentialEntry? Find(ReadOnlySpan<char> key, GatewaySnapshot snapshot) =>
        ReferenceEquals(snapshot.Credentials[_segment], _within) && IsSame(key) ? _credential : null;

    public void Remember(ReadOnlySpan<char> key, GatewaySnapshot snapshot, KeyDigest digest, CredentialEntry credential)
    {
        (_segment, _within, _credential) = (digest.Segment, snapshot.Credentials[digest.Segment], credential);
        if (_key.Length != key.Length)
        {
            _key = new char[key.Length];
        }

        key.CopyTo(_key);
    }

    /// <summary>Looks at all of it, four characters at a time. The platform's own way to do that goes byte by byte, which for a key costs as much as finding
    /// the route.</summary>
    private bool IsSame(ReadOnlySpan<char> key)
    {
        if (key.Length != _key.Length)
        {
            return false;
        }

        var words = MemoryMarshal.Cast<char, ulong>(key);
        var known = MemoryMarshal.Cast<char, ulong>(_key);
        var difference = 0ul;
        for (var i = 0; i < words.Length; i++)
        {
            difference |= words[i] ^ known[i];
        }

        for (var i = words.Length * (sizeof(ulong) / sizeof(char)); i < key.Length; i++)
        {
            difference |= (uint)(key[i] ^ _key[i]);
        }

        return difference == 0;
    }
}
