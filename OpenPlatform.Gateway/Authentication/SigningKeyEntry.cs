using System.Security.Cryptography;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Authentication;

/// <summary>One signing key. The algorithm is the key's, never the request's: nothing can be verified with a key of another kind.</summary>
/// <param name="ExpiresAtTicks">As in <see cref="CredentialEntry"/>.</param>
/// <param name="Secret">For <c>hmac-sha256</c>, otherwise null.</param>
/// <param name="PublicKey">For the others, otherwise null.</param>
internal sealed record SigningKeyEntry(Guid CredentialId, Guid ApplicationId, long ExpiresAtTicks, string Algorithm, byte[]? Secret, VerificationKey? PublicKey)
    : FoundCredential(CredentialId)
{
    public bool IsHmac => Secret is not null;

    public bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        if (Secret is not null)
        {
            Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
            HMACSHA256.HashData(Secret, data, expected);
            return CryptographicOperations.FixedTimeEquals(expected, signature);
        }

        return Algorithm == SigningAlgorithms.EcdsaP256
            ? PublicKey!.VerifyEcdsaSha256(data, signature)
            : PublicKey!.VerifyRsa(data, signature, HashAlgorithmName.SHA512, RSASignaturePadding.Pss);
    }

    // The generated text would print the secret.
    public override string ToString() => $"signing key, {Algorithm}";
}
