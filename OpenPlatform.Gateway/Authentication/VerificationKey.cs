using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace OpenPlatform.Gateway.Authentication;

/// <summary>
/// A public key that verifies for many requests at once. The platform promises no thread-safety of its key objects, so each
/// verification has one to itself; they are made when first needed, because most keys of a snapshot never are.
/// </summary>
/// <param name="subjectPublicKeyInfo">DER, checked when the snapshot was.</param>
internal sealed class VerificationKey(byte[] subjectPublicKeyInfo)
{
    private readonly ConcurrentBag<ECDsa> _ec = [];
    private readonly ConcurrentBag<RSA> _rsa = [];

    /// <param name="signature">r ‖ s, 64 bytes (RFC 9421, 3.3.4; RFC 7518, 3.4).</param>
    public bool VerifyEcdsaSha256(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        if (!_ec.TryTake(out var key))
        {
            key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(subjectPublicKeyInfo, out _);
        }

        var right = key.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        _ec.Add(key);
        return right;
    }

    /// <summary>RSASSA-PSS with a salt as long as the hash, or RSASSA-PKCS1-v1_5.</summary>
    public bool VerifyRsa(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature, HashAlgorithmName hash, RSASignaturePadding padding)
    {
        if (!_rsa.TryTake(out var key))
        {
            key = RSA.Create();
            key.ImportSubjectPublicKeyInfo(subjectPublicKeyInfo, out _);
        }

        var right = key.VerifyData(data, signature, hash, padding);
        _rsa.Add(key);
        return right;
    }
}
