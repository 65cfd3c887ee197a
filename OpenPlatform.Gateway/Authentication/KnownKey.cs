using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Connections.Features;
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
        ReferenceEquals(snapshot.Credentials[_segment], _within) && CryptographicOperations.FixedTimeEquals(MemoryMarshal.AsBytes(key), MemoryMarshal.AsBytes(_key.AsSpan())) ? _credential : null;

    public void Remember(ReadOnlySpan<char> key, GatewaySnapshot snapshot, KeyDigest digest, CredentialEntry credential)
    {
        (_segment, _within, _credential) = (digest.Segment, snapshot.Credentials[digest.Segment], credential);
        if (_key.Length != key.Length)
        {
            _key = new char[key.Length];
        }

        key.CopyTo(_key);
    }
}
