using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.Features;

namespace OpenPlatform.Gateway.Authentication.Signatures;

/// <summary>What a signature that was verified has proved, beside who made it.</summary>
/// <param name="Nonce">The key and its nonce as one number of 128 bits; null when the signature has no nonce.</param>
/// <param name="NonceUntil">UTC ticks until which the nonce must be remembered: then the signature is too old anyway.</param>
/// <param name="Digest">What the body must be; null when there is none.</param>
internal sealed record SignedRequest(UInt128? Nonce, long NonceUntil, ContentDigest? Digest)
{
    public static UInt128 NonceOf(string keyId, string nonce)
    {
        // Key ids hold no line break, so no two pairs make the same text.
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{keyId}\n{nonce}"), hash);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(hash);
    }

    /// <summary>True when a body may follow. A tunnel (WebSocket) is not a body: what goes through it is not the request's content.</summary>
    public static bool HasBody(HttpContext context) =>
        context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true }
        && context.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true }
        && context.Features.Get<IHttpExtendedConnectFeature>() is not { IsExtendedConnect: true };
}
