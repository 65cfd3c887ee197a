using System.Net.Http.Headers;

namespace OpenPlatform.Gateway.Authentication.Signatures;

/// <summary>What a signature leaves in a request. It was made for the gateway and would not verify behind it, where the path is another.</summary>
internal static class SignatureHeaders
{
    private static readonly string[] Names =
    [
        HmacAuthenticator.KeyHeader, HmacAuthenticator.TimestampHeader, HmacAuthenticator.NonceHeader, HmacAuthenticator.SignedHeadersHeader,
        HmacAuthenticator.SignatureHeader, SignatureAuthenticator.InputHeader, SignatureAuthenticator.SignatureHeader,
    ];

    public static bool Contains(string name) => Names.Contains(name, StringComparer.OrdinalIgnoreCase);

    public static void RemoveFrom(HttpRequestHeaders headers)
    {
        foreach (var name in Names)
        {
            headers.Remove(name);
        }
    }
}
