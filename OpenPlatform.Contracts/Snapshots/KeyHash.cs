using System.Security.Cryptography;
using System.Text;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>How an API key is stored and looked up: HMAC-SHA-256 under the deployment's pepper (RFC 2104, FIPS 180-4).</summary>
public static class KeyHash
{
    /// <summary>Bytes of a hash.</summary>
    public const int Size = HMACSHA256.HashSizeInBytes;

    /// <summary>Longest key that is accepted, in UTF-8 bytes; longer input is never hashed.</summary>
    public const int MaxKeyBytes = 256;

    /// <summary>Writes the hash of <paramref name="key"/> into <paramref name="hash"/> (at least <see cref="Size"/> bytes).
    /// Returns false, and writes nothing, when the key is empty or longer than <see cref="MaxKeyBytes"/>. Allocates nothing.</summary>
    public static bool TryCompute(ReadOnlySpan<byte> pepper, ReadOnlySpan<char> key, Span<byte> hash)
    {
        Span<byte> utf8 = stackalloc byte[MaxKeyBytes];
        if (key.IsEmpty || !Encoding.UTF8.TryGetBytes(key, utf8, out var length))
        {
            return false;
        }

        HMACSHA256.HashData(pepper, utf8[..length], hash);
        CryptographicOperations.ZeroMemory(utf8);
        return true;
    }
}
