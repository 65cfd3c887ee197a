using System.Buffers.Text;
using System.Security.Cryptography;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>A JSON web key (RFC 7517, 7518) as a key of the platform, checked before anything is verified with it.</summary>
public static class JwkReader
{
    public const string Es256 = "ES256";
    public const string Rs256 = "RS256";
    public const string Ps256 = "PS256";

    /// <summary>All that tokens may be signed with. Never <c>none</c>, never an HMAC.</summary>
    public static IReadOnlyList<string> Algorithms { get; } = [Es256, Rs256, Ps256];

    /// <summary>The key as SubjectPublicKeyInfo, or why it is none that counts here.</summary>
    public static byte[]? Read(JwkModel key, out string? problem)
    {
        problem = null;
        if (key.Use is not (null or "sig"))
        {
            problem = "use must be sig";
            return null;
        }

        try
        {
            switch (key.Kty)
            {
                case "EC" when key.Crv == "P-256" && Decode(key.X) is { Length: 32 } x && Decode(key.Y) is { Length: 32 } y:
                    using (var ec = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new() { X = x, Y = y } }))
                    {
                        return ec.ExportSubjectPublicKeyInfo();
                    }

                case "RSA" when Decode(key.N) is { Length: >= 256 and <= 1024 } n && Decode(key.E) is { Length: >= 1 and <= 8 } e:
                    using (var rsa = RSA.Create(new RSAParameters { Modulus = n, Exponent = e }))
                    {
                        return rsa.ExportSubjectPublicKeyInfo();
                    }

                default:
                    problem = "must be EC on P-256 with x and y of 32 bytes, or RSA of 2048 to 8192 bits with n and e";
                    return null;
            }
        }
        catch (CryptographicException)
        {
            problem = "is not a valid public key";
            return null;
        }
    }

    /// <summary>True when a key of this kind can be used with the algorithm.</summary>
    public static bool Fits(JwkModel key, string algorithm) =>
        (key.Kty == "EC" ? algorithm == Es256 : algorithm is Rs256 or Ps256) && (key.Alg is null || key.Alg == algorithm);

    private static byte[]? Decode(string? text)
    {
        if (text is null || !Base64Url.IsValid(text))
        {
            return null;
        }

        return Base64Url.DecodeFromChars(text);
    }
}
