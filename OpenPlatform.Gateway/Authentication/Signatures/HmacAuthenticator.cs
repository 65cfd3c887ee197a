using System.Buffers;
using System.Text;
using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Authentication.Signatures;

/// <summary>
/// The platform's own signed form: app key, timestamp, nonce, sorted query, sorted signed headers and the digest of the body, under
/// HMAC-SHA-256. docs/signing.md shows it to partners; its test vectors are run against this code.
/// </summary>
internal sealed class HmacAuthenticator(IOptions<AuthenticationOptions> options, CredentialUses uses, TimeProvider time)
{
    public const string KeyHeader = "X-App-Key";
    public const string TimestampHeader = "X-App-Timestamp";
    public const string NonceHeader = "X-App-Nonce";
    public const string SignedHeadersHeader = "X-App-Signed-Headers";
    public const string SignatureHeader = "X-App-Signature";

    /// <summary>First line of what is signed: a text signed for something else can never be taken for it.</summary>
    public const string Prefix = "OPENPLATFORM-HMAC-SHA256";

    private const int MaxSignedHeaders = 32;
    private const int ShortestNonce = 16;
    private const int LongestNonce = 64;

    private static readonly SearchValues<char> NonceCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    private readonly TimeSpan _window = options.Value.SignatureWindow;

    /// <summary>Fills in the application and what was signed, or says why not.</summary>
    public Refusal Authenticate(HttpContext context, GatewayRequest request, IdentityIndex identity)
    {
        var headers = context.Request.Headers;
        if (headers[KeyHeader] is not [{ } keyId]
            || headers[TimestampHeader] is not [{ Length: > 0 and <= 12 } timestamp] || !long.TryParse(timestamp, System.Globalization.NumberStyles.None, null, out var seconds)
            || headers[NonceHeader] is not [{ Length: >= ShortestNonce and <= LongestNonce } nonce] || nonce.AsSpan().ContainsAnyExcept(NonceCharacters)
            || headers[SignatureHeader] is not [{ Length: 44 } base64])
        {
            return Refusal.MalformedSignature;
        }

        Span<byte> signature = stackalloc byte[33]; // 44 characters may be 33 bytes
        if (!Convert.TryFromBase64String(base64, signature, out var length))
        {
            return Refusal.MalformedSignature;
        }

        if (identity.FindSigningKey(keyId) is not { IsHmac: true } key)
        {
            return Refusal.UnknownKey;
        }

        var now = time.GetUtcNow();
        if (now.UtcTicks >= key.ExpiresAtTicks)
        {
            return Refusal.ExpiredKey;
        }

        if (Math.Abs(seconds - now.ToUnixTimeSeconds()) > _window.TotalSeconds)
        {
            return Refusal.UntimelySignature;
        }

        if (StringToSign(context, keyId, timestamp, nonce) is not { } text || !key.Verify(Encoding.UTF8.GetBytes(text), signature[..length]))
        {
            return Refusal.WrongSignature;
        }

        // The signature covers Content-Digest, so it is known to be the signer's before a byte of the body is read.
        ContentDigest? digest = null;
        if (SignedRequest.HasBody(context) && (digest = ContentDigest.Parse(headers[ContentDigest.Header])) is null)
        {
            return Refusal.IncompleteSignature;
        }

        if (!request.TryIdentify(key.ApplicationId))
        {
            return Refusal.UnknownKey;
        }

        uses.Note(key);

        request.Signed = new(SignedRequest.NonceOf(keyId, nonce), DateTimeOffset.FromUnixTimeSeconds(seconds).UtcTicks + _window.Ticks, digest);
        return Refusal.None;
    }

    /// <summary>
    /// Eight lines and one more for each signed header, joined by LF, with none at the end:
    /// prefix, METHOD, path as sent, sorted query, app key, timestamp, nonce, value of Content-Digest or nothing, then <c>name:value</c>.
    /// Null when a signed header is absent, listed twice or not in order.
    /// </summary>
    private static string? StringToSign(HttpContext context, string keyId, string timestamp, string nonce)
    {
        var headers = context.Request.Headers;
        var target = RequestTarget.Of(context);
        var text = new StringBuilder(512)
            .Append(Prefix).Append('\n')
            .Append(context.Request.Method).Append('\n')
            .Append(target.Path).Append('\n')
            .Append(SortedQuery(target.Query)).Append('\n')
            .Append(keyId).Append('\n')
            .Append(timestamp).Append('\n')
            .Append(nonce).Append('\n')
            .Append(headers[ContentDigest.Header].ToString());

        var list = headers[SignedHeadersHeader];
        if (list.Count == 0)
        {
            return text.ToString();
        }

        var names = list.ToString().Split(';');
        if (names.Length > MaxSignedHeaders)
        {
            return null;
        }

        var previous = string.Empty;
        foreach (var name in names)
        {
            if (name.AsSpan().ContainsAnyInRange('A', 'Z') || string.CompareOrdinal(name, previous) <= 0
                || !headers.TryGetValue(name, out var values) || values.Count == 0)
            {
                return null;
            }

            previous = name;
            text.Append('\n').Append(name).Append(':').AppendJoin(", ", values.Select(static v => v?.Trim()));
        }

        return text.ToString();
    }

    /// <summary>The pieces between <c>&amp;</c> as sent, sorted by their names (ordinal, as sent); those with the same name keep their order.</summary>
    private static string SortedQuery(string? query)
    {
        if (string.IsNullOrEmpty(query))
        {
            return string.Empty;
        }

        if (!query.Contains('&', StringComparison.Ordinal))
        {
            return query;
        }

        return string.Join('&', query.Split('&', StringSplitOptions.RemoveEmptyEntries).OrderBy(static piece => piece.Split('=', 2)[0], StringComparer.Ordinal));
    }
}
