using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace OpenPlatform.Catalog.Webhooks;

/// <summary>Standard Webhooks (standardwebhooks.com, version 1): HMAC-SHA256 over <c>id.timestamp.body</c>, <c>v1,</c> and base64.</summary>
internal static class WebhookSignature
{
    public const string SecretPrefix = "whsec_";
    public const int SecretBytes = 32;

    public static string ToText(ReadOnlySpan<byte> secret) => SecretPrefix + Convert.ToBase64String(secret);

    /// <summary>One signature for each secret, separated by spaces: a receiver is content with one that it knows.</summary>
    public static string Sign(string id, long unixSeconds, ReadOnlySpan<byte> body, params IEnumerable<byte[]> secrets)
    {
        var head = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{unixSeconds}."));
        byte[] content = [.. head, .. body];
        return string.Join(' ', secrets.Select(secret => "v1," + Convert.ToBase64String(HMACSHA256.HashData(secret, content))));
    }
}
