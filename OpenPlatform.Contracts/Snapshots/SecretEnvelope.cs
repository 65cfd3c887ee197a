using System.Security.Cryptography;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>
/// A secret that must be had in clear to be used (an HMAC key), closed with AES-256-GCM (NIST SP 800-38D) under a key of the
/// deployment: <c>version (1) ‖ nonce (12) ‖ ciphertext ‖ tag (16)</c>. The credential's id is authenticated with it, so an
/// envelope moved to another credential does not open.
/// </summary>
public sealed class SecretEnvelope : IDisposable
{
    public const int KeySize = 32;
    private const byte Version = 1;
    private const int NonceSize = 12;
    private const int TagSize = 16;
    private const int Overhead = 1 + NonceSize + TagSize;
    private const int LongestSecret = 1024;

    private readonly AesGcm _aes;

    /// <param name="key"><see cref="KeySize"/> bytes.</param>
    public SecretEnvelope(ReadOnlySpan<byte> key) => _aes = new(key, TagSize);

    /// <summary>Reads the base64 form of a key, as it stands in <c>OpenPlatform:EnvelopeKey</c>.</summary>
    /// <exception cref="FormatException">Not base64 of <see cref="KeySize"/> bytes; the message does not repeat it.</exception>
    public static SecretEnvelope FromBase64(string key)
    {
        var bytes = new byte[KeySize];
        if (!Convert.TryFromBase64String(key, bytes, out var length) || length != KeySize)
        {
            throw new FormatException($"must be base64 of {KeySize} bytes, for example from: openssl rand -base64 {KeySize}");
        }

        try
        {
            return new(bytes);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    /// <summary>True when <paramref name="sealed"/> can be an envelope: version and length. Needs no key.</summary>
    public static bool LooksRight(ReadOnlySpan<byte> @sealed) => @sealed.Length is > Overhead and <= Overhead + LongestSecret && @sealed[0] == Version;

    /// <param name="credentialId">The credential that the secret belongs to.</param>
    /// <param name="secret">1 to 1024 bytes.</param>
    public byte[] Seal(Guid credentialId, ReadOnlySpan<byte> secret)
    {
        if (secret.Length is 0 or > LongestSecret)
        {
            throw new ArgumentException($"A secret has 1 to {LongestSecret} bytes.", nameof(secret));
        }

        var result = new byte[Overhead + secret.Length];
        result[0] = Version;
        var nonce = result.AsSpan(1, NonceSize);
        RandomNumberGenerator.Fill(nonce);
        _aes.Encrypt(nonce, secret, result.AsSpan(1 + NonceSize, secret.Length), result.AsSpan(result.Length - TagSize), credentialId.ToByteArray(bigEndian: true));
        return result;
    }

    /// <summary>The secret, or null when it was sealed under another key or for another credential, or was damaged.</summary>
    public byte[]? Open(Guid credentialId, ReadOnlySpan<byte> @sealed)
    {
        if (!LooksRight(@sealed))
        {
            return null;
        }

        var secret = new byte[@sealed.Length - Overhead];
        try
        {
            _aes.Decrypt(@sealed.Slice(1, NonceSize), @sealed[(1 + NonceSize)..^TagSize], @sealed[^TagSize..], secret, credentialId.ToByteArray(bigEndian: true));
            return secret;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    public void Dispose() => _aes.Dispose();
}
