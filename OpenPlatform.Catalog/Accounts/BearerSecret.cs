using System.Security.Cryptography;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Accounts;

/// <summary>What a caller of the admin API presents: a prefix that says what it is, and 40 random characters of base62 (238 bits).</summary>
internal static class BearerSecret
{
    /// <summary>A token for machines.</summary>
    public const string TokenPrefix = "opt_";

    /// <summary>The session of an account.</summary>
    public const string SessionPrefix = "ops_";

    private const string Base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private const int RandomCharacters = 40;
    private const int ShownCharacters = 10;

    public static string Create(string prefix) => prefix + RandomNumberGenerator.GetString(Base62, RandomCharacters);

    public static string Shown(string secret) => secret[..ShownCharacters];

    /// <summary>What is stored and looked up; null for what is none.</summary>
    public static byte[]? HashOrNull(ReadOnlySpan<byte> pepper, string secret)
    {
        var hash = new byte[KeyHash.Size];
        return KeyHash.TryCompute(pepper, secret, hash) ? hash : null;
    }
}
