using System.Security.Cryptography;
using System.Text;

namespace OpenPlatform.Cli.Signing;

/// <summary>A request that is to be signed: what of it a signature covers (docs/signing.md).</summary>
/// <param name="Target">Path and query exactly as they are sent.</param>
/// <param name="Headers">Further headers to sign, lower-case names, in order of the names.</param>
internal sealed record RequestToSign(string Method, Uri Url, string Target, SortedList<string, string> Headers, byte[]? Body)
{
    /// <param name="headers">As <c>Name: value</c>.</param>
    public static RequestToSign Of(string method, Uri url, IEnumerable<string> headers, byte[]? body)
    {
        var signed = new SortedList<string, string>(StringComparer.Ordinal);
        foreach (var header in headers)
        {
            var colon = header.IndexOf(':', StringComparison.Ordinal);
            if (colon < 1 || !signed.TryAdd(header[..colon].Trim().ToLowerInvariant(), header[(colon + 1)..].Trim()))
            {
                throw new CommandFailure(ExitCode.Usage, $"--header must be 'Name: value', each name once; is: {header}");
            }
        }

        return new(method.ToUpperInvariant(), url, url.PathAndQuery, signed, body);
    }

    public string Path => Target.Split('?', 2)[0];

    /// <summary>Without the question mark; null when there is none.</summary>
    public string? Query => Target.Split('?', 2) is [_, var query] ? query : null;

    /// <summary>RFC 9530, or null when there is no body.</summary>
    public string? ContentDigest => Body is null ? null : $"sha-256=:{Convert.ToBase64String(SHA256.HashData(Body))}:";
}

/// <summary>The platform's own signed form.</summary>
internal static class HmacSigner
{
    /// <summary>The headers to send.</summary>
    /// <param name="secret">Its UTF-8 bytes are the key.</param>
    public static IReadOnlyList<(string Name, string Value)> Sign(RequestToSign request, string keyId, string secret, long timestamp, string nonce)
    {
        string[] lines =
        [
            "OPENPLATFORM-HMAC-SHA256", request.Method, request.Path, Sorted(request.Query), keyId, $"{timestamp}", nonce, request.ContentDigest ?? "",
            .. request.Headers.Select(static h => $"{h.Key}:{h.Value}"),
        ];
        var signature = HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(string.Join('\n', lines)));
        return
        [
            .. request.Headers.Select(static h => (h.Key, h.Value)),
            ("X-App-Key", keyId), ("X-App-Timestamp", $"{timestamp}"), ("X-App-Nonce", nonce),
            .. request.Headers.Count > 0 ? [("X-App-Signed-Headers", string.Join(';', request.Headers.Keys))] : Array.Empty<(string, string)>(),
            .. request.ContentDigest is { } digest ? [("Content-Digest", digest)] : Array.Empty<(string, string)>(),
            ("X-App-Signature", Convert.ToBase64String(signature)),
        ];
    }

    /// <summary>Pieces sorted by name, byte by byte as sent; pieces of one name keep their order.</summary>
    private static string Sorted(string? query) => string.Join('&', (query ?? "")
        .Split('&', StringSplitOptions.RemoveEmptyEntries)
        .OrderBy(static piece => Encoding.UTF8.GetBytes(piece.Split('=', 2)[0]), Comparer<byte[]>.Create(static (a, b) => a.AsSpan().SequenceCompareTo(b))));
}
