using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Protection.Headers;

/// <summary>Headers that keep a browser from misusing an answer; what the backend says of them itself stays.</summary>
internal sealed class SecurityHeaders
{
    private const int Year = 31_536_000;

    private readonly (string Name, string Value)[] _headers;
    private readonly string? _transport;

    public SecurityHeaders(SecurityHeadersPolicy policy)
    {
        _headers =
        [
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Content-Security-Policy", policy.ContentSecurityPolicy ?? "default-src 'none'; frame-ancestors 'none'"),
            ("Referrer-Policy", policy.ReferrerPolicy ?? "no-referrer"),
        ];
        _transport = policy.StrictTransportSecuritySeconds is 0 ? null : $"max-age={policy.StrictTransportSecuritySeconds ?? Year}";
    }

    /// <param name="headers">Of an answer that is about to go out.</param>
    /// <param name="scheme">As the client used it: RFC 6797, 7.2 forbids the header over http.</param>
    public void Apply(IHeaderDictionary headers, string scheme)
    {
        foreach (var (name, value) in _headers)
        {
            headers.TryAdd(name, value);
        }

        if (_transport is not null && scheme == "https")
        {
            headers.TryAdd("Strict-Transport-Security", _transport);
        }
    }
}
