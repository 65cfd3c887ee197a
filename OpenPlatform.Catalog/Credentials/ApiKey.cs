using System.Security.Cryptography;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Credentials;

/// <summary>API keys: <c>opk_</c> and 40 random characters of base62 (238 bits). The prefix makes a leaked one findable by scanners.</summary>
internal static class ApiKey
{
    private const string Prefix = "opk_";
    private const string Base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private const int RandomCharacters = 40;
    private const int ShownRandomCharacters = 6;

    public static string Create() => Prefix + RandomNumberGenerator.GetString(Base62, RandomCharacters);

    /// <summary>What may be shown of a key: its first characters, never more than a quarter of it.</summary>
    public static string Shown(string key) => key[..Math.Min(Prefix.Length + ShownRandomCharacters, Math.Max(1, key.Length / 4))];

    /// <summary>What is stored of a key.</summary>
    /// <exception cref="ArgumentException">The key is empty or longer than <see cref="KeyHash.MaxKeyBytes"/> UTF-8 bytes.</exception>
    public static byte[] Hash(ReadOnlySpan<byte> pepper, string key)
    {
        var hash = new byte[KeyHash.Size];
        return KeyHash.TryCompute(pepper, key, hash)
            ? hash
            : throw new ArgumentException($"An API key has 1 to {KeyHash.MaxKeyBytes} UTF-8 bytes.", nameof(key));
    }
}
