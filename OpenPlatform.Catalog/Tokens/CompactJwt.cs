using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace OpenPlatform.Catalog.Tokens;

/// <summary>A signed JWT in compact form (RFC 7515, 7.1), read but not verified yet.</summary>
internal sealed class CompactJwt : IDisposable
{
    private const int Longest = 8192;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 8, AllowDuplicateProperties = false };

    private readonly JsonDocument _header;
    private readonly JsonDocument _claims;
    private readonly byte[] _signed;
    private readonly byte[] _signature;

    private CompactJwt(JsonDocument header, JsonDocument claims, byte[] signed, byte[] signature) =>
        (_header, _claims, _signed, _signature) = (header, claims, signed, signature);

    /// <summary>The JWT, or null when the text is none: three parts of base64url, two JSON objects without doubled members, nothing critical.</summary>
    public static CompactJwt? ReadOrNull(string text)
    {
        var parts = text.Split('.');
        if (text.Length > Longest || parts.Length != 3 || parts.Any(static part => part.Length == 0 || !part.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')))
        {
            return null;
        }

        JsonDocument? header = null, claims = null;
        try
        {
            header = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[0]), Strict);
            claims = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[1]), Strict);
            if (header.RootElement.ValueKind == JsonValueKind.Object && claims.RootElement.ValueKind == JsonValueKind.Object && !header.RootElement.TryGetProperty("crit", out _))
            {
                var jwt = new CompactJwt(header, claims, Encoding.ASCII.GetBytes(text[..text.LastIndexOf('.')]), Base64Url.DecodeFromChars(parts[2]));
                (header, claims) = (null, null);
                return jwt;
            }
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            // No JWT; the caller says so.
        }
        finally
        {
            header?.Dispose();
            claims?.Dispose();
        }

        return null;
    }

    /// <summary>Signs <paramref name="claims"/> with ES256.</summary>
    public static string Sign(string type, Guid keyId, ECDsa key, object claims)
    {
        var header = JsonSerializer.SerializeToUtf8Bytes(new { typ = type, alg = "ES256", kid = keyId });
        var signed = $"{Base64Url.EncodeToString(header)}.{Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims))}";
        return $"{signed}.{Base64Url.EncodeToString(key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation))}";
    }

    public string? Header(string name) => Text(_header, name);

    public string? Claim(string name) => Text(_claims, name);

    /// <summary>True when <c>aud</c> is one of <paramref name="audiences"/>, or a list with one of them.</summary>
    public bool IsFor(params ReadOnlySpan<string> audiences)
    {
        if (!_claims.RootElement.TryGetProperty("aud", out var aud))
        {
            return false;
        }

        foreach (var audience in audiences)
        {
            if (aud.ValueKind == JsonValueKind.String ? aud.ValueEquals(audience) : aud.ValueKind == JsonValueKind.Array && Contains(aud, audience))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A NumericDate (RFC 7519, 2); null when it is absent or no date between 1970 and 5138.</summary>
    public DateTimeOffset? Time(string name) =>
        _claims.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var seconds) && seconds is >= 0 and <= 100_000_000_000
            ? DateTimeOffset.UnixEpoch.AddSeconds(Math.Floor(seconds))
            : null;

    public bool Has(string name) => _claims.RootElement.TryGetProperty(name, out _);

    /// <summary>True when the signature is of this key. The key's kind decides which algorithms of the header count.</summary>
    /// <param name="spki">P-256 or RSA.</param>
    public bool IsSignedBy(byte[] spki)
    {
        try
        {
            switch (Header("alg"))
            {
                case "ES256":
                    using (var ec = ECDsa.Create())
                    {
                        ec.ImportSubjectPublicKeyInfo(spki, out _);
                        return ec.VerifyData(_signed, _signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
                    }

                case "RS256" or "PS256":
                    using (var rsa = RSA.Create())
                    {
                        rsa.ImportSubjectPublicKeyInfo(spki, out _);
                        return rsa.VerifyData(_signed, _signature, HashAlgorithmName.SHA256, Header("alg") == "PS256" ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1);
                    }

                default:
                    return false;
            }
        }
        catch (CryptographicException)
        {
            return false; // a key of the other kind
        }
    }

    public void Dispose()
    {
        _header.Dispose();
        _claims.Dispose();
    }

    private static bool Contains(JsonElement list, string text)
    {
        foreach (var one in list.EnumerateArray())
        {
            if (one.ValueKind == JsonValueKind.String && one.ValueEquals(text))
            {
                return true;
            }
        }

        return false;
    }

    private static string? Text(JsonDocument json, string name)
    {
        try
        {
            return json.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null; // half of a surrogate pair
        }
    }
}
