using System.Security.Cryptography;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Accounts;

/// <summary>A password as it is stored: PBKDF2 with HMAC-SHA-256 (RFC 8018).</summary>
internal sealed record PasswordHash(byte[] Hash, byte[] Salt, int Iterations)
{
    /// <summary>What OWASP asks for with HMAC-SHA-256; kept per password, so that it can grow.</summary>
    public const int CurrentIterations = 600_000;

    private const int MinLength = 12;
    public const int MaxLength = 256;
    private const int SaltSize = 16;

    // Some password takes its time for a name that nobody has, too.
    private static readonly PasswordHash Nobody = Of(RandomNumberGenerator.GetHexString(32));

    public static PasswordHash Of(string password)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltSize);
        return new(Derive(password, salt, CurrentIterations), salt, CurrentIterations);
    }

    /// <summary>Whether <paramref name="password"/> is that of <paramref name="stored"/>; takes as long when there is none.</summary>
    public static bool Matches(PasswordHash? stored, string password)
    {
        var compared = stored ?? Nobody;
        return CryptographicOperations.FixedTimeEquals(Derive(password, compared.Salt, compared.Iterations), compared.Hash) & stored is not null;
    }

    public static void Check(string pointer, string? password, RequestCheck check)
    {
        if (password is null)
        {
            check.Add(pointer, "is required");
        }
        else if (password.Length is < MinLength or > MaxLength)
        {
            check.Add(pointer, $"must be {MinLength} to {MaxLength} characters");
        }
    }

    private static byte[] Derive(string password, byte[] salt, int iterations) =>
        Rfc2898DeriveBytes.Pbkdf2(password, salt, iterations, HashAlgorithmName.SHA256, SHA256.HashSizeInBytes);
}
