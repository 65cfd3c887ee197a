using System.Collections.Frozen;

namespace OpenPlatform.Gateway.Framing;

/// <summary>
/// Headers by which the gateway and its backends know the message, the caller or the way it came. No client may have them removed
/// by naming them in <c>Connection</c>, and none may bring a twin of them written with an underscore, which CGI, WSGI and others
/// take for the real one.
/// </summary>
internal static class ProtectedHeaders
{
    private const string ForwardedPrefix = "X-Forwarded-";

    private static readonly FrozenSet<string> Names = new[]
    {
        "Host", "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Connection", "Expect", "Trailer", "Upgrade", "Authorization", "Cookie",
        "X-Api-Key", "X-Request-Id", "X-Real-IP", "X-HTTP-Method-Override", "Forwarded", "Via", "Traceparent", "Tracestate", "Baggage",
        "Signature", "Signature-Input", "Content-Digest", "Date", "Origin",
        "X-App-Key", "X-App-Timestamp", "X-App-Nonce", "X-App-Signed-Headers", "X-App-Signature",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public static bool Contains(string name) => Names.Contains(name) || name.StartsWith(ForwardedPrefix, StringComparison.OrdinalIgnoreCase);

    /// <summary>True for what a client may not tell a backend: a request's origin, which the gateway says itself, twins such as
    /// <c>X_Api_Key</c>, and trailers, which do not go on.</summary>
    public static bool IsClaim(string name) =>
        name.StartsWith(ForwardedPrefix, StringComparison.OrdinalIgnoreCase)
        || name.Equals("Forwarded", StringComparison.OrdinalIgnoreCase) || name.Equals("X-Real-IP", StringComparison.OrdinalIgnoreCase)
        || name.Equals("Trailer", StringComparison.OrdinalIgnoreCase)
        || (name.Contains('_', StringComparison.Ordinal) && Contains(name.Replace('_', '-')));
}
