using System.Security.Cryptography;
using System.Text;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Authentication;

/// <summary>A snapshot with signing keys, and a partner's side of both signed forms, written from the documents and not with the gateway's code.</summary>
internal static class Signing
{
    public const string EnvelopeKey = "b3BlbnBsYXRmb3JtLWVudmVsb3BlLWtleS10ZXN0cyE=";
    public const string HmacKeyId = "partner-1";
    public const string Secret = "a secret of 32 characters, in all";
    public const string EcKeyId = "partner-ec";
    public const string RsaKeyId = "partner-rsa";

    public static readonly ECDsa Ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    public static readonly RSA Rsa = RSA.Create(2048);

    public static readonly (string, string) Setting = ("OpenPlatform:EnvelopeKey", EnvelopeKey);

    public static Snapshot Snapshot(Uri backend, IReadOnlyList<string>? schemes = null, bool replayCheck = false, long revision = 1)
    {
        using var envelope = SecretEnvelope.FromBase64(EnvelopeKey);
        var id = Guid.Parse("c0000000-0000-0000-0000-000000000001");
        var snapshot = TestSnapshot.Create([backend], revision);
        return snapshot with
        {
            Plans = [snapshot.Plans[0] with { Schemes = schemes ?? [CredentialSchemes.Hmac, CredentialSchemes.Signature], ReplayCheck = replayCheck }],
            SigningKeys =
            [
                new(id, TestSnapshot.Subscriber, HmacKeyId, SigningAlgorithms.Hmac, envelope.Seal(id, Encoding.UTF8.GetBytes(Secret))),
                new(Guid.Parse("c0000000-0000-0000-0000-000000000002"), TestSnapshot.Subscriber, EcKeyId, SigningAlgorithms.EcdsaP256, Ec.ExportSubjectPublicKeyInfo(), TestSnapshot.Expiry),
                new(Guid.Parse("c0000000-0000-0000-0000-000000000003"), TestSnapshot.Subscriber, RsaKeyId, SigningAlgorithms.RsaPss, Rsa.ExportSubjectPublicKeyInfo()),
            ],
        };
    }

    public static string DigestOf(byte[] body) => $"sha-256=:{Convert.ToBase64String(SHA256.HashData(body))}:";

    /// <summary>Signs in the platform's own form.</summary>
    public static HttpRequestMessage Hmac(
        HttpMethod method, string pathAndQuery, DateTimeOffset now, string nonce, byte[]? body = null, string secret = Secret, string keyId = HmacKeyId,
        params (string Name, string Value)[] signedHeaders)
    {
        var request = new HttpRequestMessage(method, pathAndQuery);
        var digest = string.Empty;
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.Add("Content-Digest", digest = DigestOf(body));
        }

        var parts = pathAndQuery.Split('?', 2);
        var query = parts.Length == 1 ? string.Empty : string.Join('&', parts[1].Split('&').OrderBy(static p => p.Split('=')[0], StringComparer.Ordinal));
        var time = now.ToUnixTimeSeconds().ToString();
        var lines = new List<string> { "OPENPLATFORM-HMAC-SHA256", method.Method, parts[0], query, keyId, time, nonce, digest };
        var sorted = signedHeaders.OrderBy(static h => h.Name, StringComparer.Ordinal).ToArray();
        lines.AddRange(sorted.Select(static h => $"{h.Name}:{h.Value}"));
        foreach (var (name, value) in sorted)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        request.Headers.Add("X-App-Key", keyId);
        request.Headers.Add("X-App-Timestamp", time);
        request.Headers.Add("X-App-Nonce", nonce);
        if (sorted.Length > 0)
        {
            request.Headers.Add("X-App-Signed-Headers", string.Join(';', sorted.Select(static h => h.Name)));
        }

        request.Headers.Add("X-App-Signature", Convert.ToBase64String(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(string.Join('\n', lines)))));
        return request;
    }

    /// <summary>Signs by RFC 9421.</summary>
    /// <param name="covered">Components with their values, in order.</param>
    public static void Sign(HttpRequestMessage request, string keyId, string parameters, params (string Name, string Value)[] covered)
    {
        var input = $"({string.Join(' ', covered.Select(static c => $"\"{c.Name}\""))}){parameters};keyid=\"{keyId}\"";
        var text = string.Concat(covered.Select(static c => $"\"{c.Name}\": {c.Value}\n")) + "\"@signature-params\": " + input;
        var data = Encoding.UTF8.GetBytes(text);
        var signature = keyId switch
        {
            EcKeyId => Ec.SignData(data, HashAlgorithmName.SHA256),
            RsaKeyId => Rsa.SignData(data, HashAlgorithmName.SHA512, RSASignaturePadding.Pss),
            _ => HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), data),
        };
        request.Headers.Remove("Signature-Input");
        request.Headers.Remove("Signature");
        request.Headers.TryAddWithoutValidation("Signature-Input", "sig1=" + input);
        request.Headers.TryAddWithoutValidation("Signature", $"sig1=:{Convert.ToBase64String(signature)}:");
    }

    public static string Nonce() => Guid.NewGuid().ToString("N");
}
