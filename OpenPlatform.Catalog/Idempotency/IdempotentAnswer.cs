using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace OpenPlatform.Catalog.Idempotency;

/// <summary>An answer as it is repeated.</summary>
internal sealed record IdempotentAnswer(int Status, string? ContentType, string? Etag, string? Location, byte[] Body)
{
    public bool IsLike(IdempotentAnswer other) =>
        Status == other.Status && Etag == other.Etag && Location == other.Location && Body.AsSpan().SequenceEqual(other.Body);

    public async Task WriteAsync(HttpContext context)
    {
        var response = context.Response;
        response.StatusCode = Status;
        response.ContentType = ContentType;
        response.Headers.ETag = Etag;
        response.Headers.Location = Location;
        response.Headers.CacheControl = "no-store";
        response.Headers["Idempotency-Replayed"] = "true";
        await response.Body.WriteAsync(Body, context.RequestAborted);
    }

    /// <summary><c>nonce (12) ‖ ciphertext ‖ tag (16)</c>; actor and key are authenticated with it, so an answer is nobody else's.</summary>
    public byte[] Seal(byte[] pepper, IdempotentRun run)
    {
        var clear = JsonSerializer.SerializeToUtf8Bytes(this);
        var result = new byte[AesGcm.NonceByteSizes.MaxSize + clear.Length + AesGcm.TagByteSizes.MaxSize];
        var nonce = result.AsSpan(0, AesGcm.NonceByteSizes.MaxSize);
        RandomNumberGenerator.Fill(nonce);
        using var aes = Aes(pepper);
        aes.Encrypt(nonce, clear, result.AsSpan(nonce.Length, clear.Length), result.AsSpan(nonce.Length + clear.Length), Owner(run));
        return result;
    }

    /// <summary>Null when it was sealed under another pepper or for another run's key, or was damaged.</summary>
    public static IdempotentAnswer? Open(byte[] pepper, IdempotentRun run, byte[] @sealed)
    {
        var length = @sealed.Length - AesGcm.NonceByteSizes.MaxSize - AesGcm.TagByteSizes.MaxSize;
        if (length < 0)
        {
            return null;
        }

        var clear = new byte[length];
        using var aes = Aes(pepper);
        try
        {
            aes.Decrypt(@sealed.AsSpan(0, AesGcm.NonceByteSizes.MaxSize), @sealed.AsSpan(AesGcm.NonceByteSizes.MaxSize, length), @sealed.AsSpan(AesGcm.NonceByteSizes.MaxSize + length), clear, Owner(run));
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }

        return JsonSerializer.Deserialize<IdempotentAnswer>(clear);
    }

    private static AesGcm Aes(byte[] pepper) =>
        new(HKDF.DeriveKey(HashAlgorithmName.SHA256, pepper, 32, info: "openplatform/idempotency"u8.ToArray()), AesGcm.TagByteSizes.MaxSize);

    private static byte[] Owner(IdempotentRun run) => Encoding.UTF8.GetBytes($"{run.Actor}\n{run.Key}");
}
