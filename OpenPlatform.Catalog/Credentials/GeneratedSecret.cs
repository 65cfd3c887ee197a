using System.Security.Cryptography;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Credentials;

/// <summary>Secrets that the platform makes: a prefix and 40 random characters of base62 (238 bits). The prefix makes a leaked one findable by scanners.</summary>
internal static class GeneratedSecret
{
    public const string ApiKey = "opk_";
    public const string SigningSecret = "ops_";
    public const string ClientSecret = "opc_";

    private const string Base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private const int RandomCharacters = 40;
    private const int ShownCharacters = 10;

    public static string Create(string prefix) => prefix + RandomNumberGenerator.GetString(Base62, RandomCharacters);

    /// <summary>What may be shown of a secret: its first characters, never more than a quarter of it.</summary>
    public static string Shown(string secret) => secret[..Math.Min(ShownCharacters, Math.Max(1, secret.Length / 4))];

    /// <summary>What is stored of a secret that need not be had in clear.</summary>
    /// <exception cref="ArgumentException">It is empty or longer than <see cref="KeyHash.MaxKeyBytes"/> UTF-8 bytes.</exception>
    public static byte[] Hash(ReadOnlySpan<byte> pepper, string secret)
    {
        var hash = new byte[KeyHash.Size];
        return KeyHash.TryCompute(pepper, secret, hash)
            ? hash
            : throw new ArgumentException($"A secret has 1 to {KeyHash.MaxKeyBytes} UTF-8 bytes.", nameof(secret));
    }
}
