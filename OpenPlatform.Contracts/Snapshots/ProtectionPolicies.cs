namespace OpenPlatform.Contracts.Snapshots;

/// <summary>Which web pages may call the API from a browser (the CORS protocol of the Fetch standard).</summary>
/// <param name="Origins"><c>https://app.example</c>, <c>https://*.example</c> for every name below, or <c>*</c> for any.</param>
/// <param name="Headers">Request headers that a page may set, or <c>*</c>; null: Authorization, Content-Type, X-Api-Key.</param>
/// <param name="ExposedHeaders">Response headers that a page may read beside the safe ones.</param>
/// <param name="AllowCredentials">May it send cookies and certificates? Not together with <c>*</c>.</param>
/// <param name="MaxAgeSeconds">How long a browser may remember a preflight's answer, 0 to 86,400 s; null: 600 s.</param>
public sealed record CorsPolicy(
    IReadOnlyList<string> Origins, IReadOnlyList<string>? Headers = null, IReadOnlyList<string>? ExposedHeaders = null,
    bool AllowCredentials = false, int? MaxAgeSeconds = null);

/// <summary>Where callers may be, in addresses and CIDR ranges of IPv4 and IPv6. What is denied stays denied when it is allowed, too.</summary>
/// <param name="Allow">Null: everywhere.</param>
public sealed record AddressPolicy(IReadOnlyList<string>? Allow = null, IReadOnlyList<string>? Deny = null);

/// <summary>What a request body may be.</summary>
/// <param name="MaxBytes">1 byte to 1 TiB; null: what the gateway accepts.</param>
/// <param name="MediaTypes"><c>application/json</c> or <c>image/*</c>; parameters do not matter. Null: any.</param>
/// <param name="Required">True: a request without a body is refused.</param>
public sealed record BodyPolicy(long? MaxBytes = null, IReadOnlyList<string>? MediaTypes = null, bool? Required = null);

/// <summary>Changes to the headers that the backend, or the client, gets.</summary>
public sealed record HeaderPolicy(HeaderRules? Request = null, HeaderRules? Response = null);

/// <summary>Applied in this order: remove, set (in place of what is there), add (beside it).</summary>
public sealed record HeaderRules(
    IReadOnlyList<string>? Remove = null, IReadOnlyDictionary<string, string>? Set = null, IReadOnlyDictionary<string, string>? Add = null);

/// <summary>Headers that keep a browser from misusing answers, set where the backend has not set them: <c>X-Content-Type-Options:
/// nosniff</c>, <c>X-Frame-Options: DENY</c>, and these.</summary>
/// <param name="ContentSecurityPolicy">Null: <c>default-src 'none'; frame-ancestors 'none'</c>, right for an API.</param>
/// <param name="ReferrerPolicy">Null: <c>no-referrer</c>.</param>
/// <param name="StrictTransportSecuritySeconds">On answers over https; 0: none; null: a year.</param>
public sealed record SecurityHeadersPolicy(string? ContentSecurityPolicy = null, string? ReferrerPolicy = null, int? StrictTransportSecuritySeconds = null);
