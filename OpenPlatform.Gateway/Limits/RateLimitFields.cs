namespace OpenPlatform.Gateway.Limits;

/// <summary>
/// The header fields of draft-ietf-httpapi-ratelimit-headers: <c>RateLimit-Policy: "100-per-60s";q=100;w=60</c> and
/// <c>RateLimit: "100-per-60s";r=42;t=17</c> (r = units left, t = seconds until all are back; 0 left: until one is).
/// </summary>
internal static class RateLimitFields
{
    public const string LimitHeader = "RateLimit";
    public const string PolicyHeader = "RateLimit-Policy";
}
