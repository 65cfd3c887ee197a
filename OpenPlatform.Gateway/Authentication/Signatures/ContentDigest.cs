using System.Security.Cryptography;
using Microsoft.Extensions.Primitives;

namespace OpenPlatform.Gateway.Authentication.Signatures;

/// <summary>What <c>Content-Digest</c> says about a body (RFC 9530): <c>sha-256=:…:</c>, <c>sha-512=:…:</c> or both. Other algorithms
/// in the field are passed over; they are obsolete (RFC 9530, 7.2).</summary>
internal sealed class ContentDigest
{
    public const string Header = "Content-Digest";

    private readonly byte[]? _sha256;
    private readonly byte[]? _sha512;

    private ContentDigest(byte[]? sha256, byte[]? sha512)
    {
        _sha256 = sha256;
        _sha512 = sha512;
    }

    /// <summary>Null when the field is malformed or holds neither algorithm.</summary>
    public static ContentDigest? Parse(StringValues field)
    {
        byte[]? sha256 = null, sha512 = null;
        foreach (var (algorithm, item) in StructuredField.ParseDictionary(field.ToString()) ?? [])
        {
            switch (algorithm)
            {
                case "sha-256" when item.Value is byte[] { Length: SHA256.HashSizeInBytes } digest:
                    sha256 = digest;
                    break;
                case "sha-512" when item.Value is byte[] { Length: SHA512.HashSizeInBytes } digest:
                    sha512 = digest;
                    break;
                case "sha-256" or "sha-512":
                    return null;
            }
        }

        return sha256 is null && sha512 is null ? null : new(sha256, sha512);
    }

    /// <summary>True when every digest that was given is the body's.</summary>
    public bool Matches(ReadOnlySpan<byte> body)
    {
        Span<byte> digest = stackalloc byte[SHA512.HashSizeInBytes];
        return (_sha256 is null || digest[..SHA256.HashData(body, digest)].SequenceEqual(_sha256))
            && (_sha512 is null || digest[..SHA512.HashData(body, digest)].SequenceEqual(_sha512));
    }
}
