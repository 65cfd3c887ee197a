using System.Security.Cryptography;
using System.Text;

namespace OpenPlatform.Cli.Signing;

/// <summary>HTTP message signatures (RFC 9421) with what the gateway asks for: method, path, query, body digest and the given headers.</summary>
internal static class MessageSigner
{
    public const string Label = "sig1";

    /// <summary>The headers to send.</summary>
    public static IReadOnlyList<(string Name, string Value)> Sign(RequestToSign request, string keyId, SigningKey key, long created, string nonce)
    {
        List<(string Name, string Value)> covered = [("@method", request.Method), ("@authority", AuthorityOf(request.Url)), ("@path", request.Path)];
        if (request.Query is { } query)
        {
            covered.Add(("@query", "?" + query));
        }

        if (request.ContentDigest is { } digest)
        {
            covered.Add(("content-digest", digest));
        }

        covered.AddRange(request.Headers.Select(static h => (h.Key, h.Value)));
        var parameters = $"({string.Join(' ', covered.Select(static c => $"\"{c.Name}\""))});created={created};keyid={Quoted(keyId)};alg=\"{key.Algorithm}\";nonce={Quoted(nonce)}";
        var text = string.Join('\n', covered.Select(static c => $"\"{c.Name}\": {c.Value}").Append($"\"@signature-params\": {parameters}"));
        return
        [
            .. request.Headers.Select(static h => (h.Key, h.Value)),
            .. request.ContentDigest is { } sent ? [("Content-Digest", sent)] : Array.Empty<(string, string)>(),
            ("Signature-Input", $"{Label}={parameters}"),
            ("Signature", $"{Label}=:{Convert.ToBase64String(key.Sign(Encoding.UTF8.GetBytes(text)))}:"),
        ];
    }

    /// <summary>Lower case, without the scheme's own port (RFC 9421, 2.2.3).</summary>
    private static string AuthorityOf(Uri url) => url.IsDefaultPort ? url.IdnHost.ToLowerInvariant() : $"{url.IdnHost.ToLowerInvariant()}:{url.Port}";

    /// <summary>A string of RFC 8941, 3.3.3.</summary>
    private static string Quoted(string text) => text.All(static c => c is >= ' ' and <= '~')
        ? $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\""
        : throw new CommandFailure(ExitCode.Usage, "A key id for HTTP message signatures must be printable ASCII.");
}

/// <summary>A private key or shared secret, and the algorithm of RFC 9421 that it is for.</summary>
internal sealed record SigningKey(string Algorithm, Func<byte[], byte[]> Sign)
{
    /// <param name="text">A private key in PEM (P-256, or RSA of at least 2048 bits); anything else is a shared secret.</param>
    public static SigningKey Of(string text)
    {
        if (!PemEncoding.TryFind(text, out _))
        {
            return new("hmac-sha256", data => HMACSHA256.HashData(Encoding.UTF8.GetBytes(text), data));
        }

        try
        {
            var elliptic = ECDsa.Create();
            elliptic.ImportFromPem(text);
            return elliptic.KeySize == 256
                ? new("ecdsa-p256-sha256", data => elliptic.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation))
                : throw new CommandFailure(ExitCode.Usage, $"The key must be of the curve P-256, its size is {elliptic.KeySize} bits.");
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            return OfRsa(text);
        }
    }

    private static SigningKey OfRsa(string pem)
    {
        try
        {
            var rsa = RSA.Create();
            rsa.ImportFromPem(pem);
            return new("rsa-pss-sha512", data => rsa.SignData(data, HashAlgorithmName.SHA512, RSASignaturePadding.Pss));
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            throw new CommandFailure(ExitCode.Usage, "The key file must hold an unencrypted private key in PEM, P-256 or RSA, or a shared secret.", e);
        }
    }
}
