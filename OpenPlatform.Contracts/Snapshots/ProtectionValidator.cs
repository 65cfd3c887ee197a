using System.Buffers;
using System.Text.Json;
using System.Text.RegularExpressions;
using OpenPlatform.Contracts.Schemas;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>Checks what protects an API.</summary>
internal static partial class ProtectionValidator
{
    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~");

    /// <summary>A rule that touched one of these would forge an identity, break the framing or what the gateway itself says.</summary>
    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        "Authorization", "X-Api-Key", "X-App-Key", "X-App-Timestamp", "X-App-Nonce", "X-App-Signed-Headers", "X-App-Signature", "Signature", "Signature-Input",
        "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
        "Content-Length", "Content-Encoding", "Content-Type", "Content-Digest", "Expect", "Host", "Date", "Via", "Forwarded", "X-Real-IP", "X-Request-Id",
        "traceparent", "tracestate", "WWW-Authenticate", "Retry-After", "RateLimit", "RateLimit-Policy", "Set-Cookie", "Deprecation", "Sunset",
    };

    public static void Validate(ApiModel api, string at, Action<string, string> problem)
    {
        if (api.Policies is { } policies)
        {
            ValidateCors(policies.Cors, $"{at}/policies/cors", problem);
            ValidateAddresses(policies.Addresses, $"{at}/policies/addresses", problem);
            ValidateBody(policies.Body, $"{at}/policies/body", problem);
            ValidateRules(policies.Headers?.Request, $"{at}/policies/headers/request", problem);
            ValidateRules(policies.Headers?.Response, $"{at}/policies/headers/response", problem);
            ValidateSecurity(policies.SecurityHeaders, $"{at}/policies/securityHeaders", problem);
        }

        var schemas = new JsonSchemaReader(api.Policies?.Schemas ?? new Dictionary<string, JsonElement>(StringComparer.Ordinal), $"{at}/policies/schemas", problem);
        schemas.ReadAll();
        for (var i = 0; i < api.Operations.Count; i++)
        {
            if (api.Operations[i]?.Policies is { } operation)
            {
                ValidateBody(operation.Body, $"{at}/operations/{i}/policies/body", problem);
                if (operation.RequestSchema is { } schema)
                {
                    schemas.Read(schema, $"{at}/operations/{i}/policies/requestSchema");
                }
            }
        }
    }

    public static void ValidateAddresses(AddressPolicy? addresses, string at, Action<string, string> problem)
    {
        foreach (var (list, name) in new[] { (addresses?.Allow, "allow"), (addresses?.Deny, "deny") })
        {
            for (var i = 0; i < list?.Count; i++)
            {
                if (!AddressRanges.TryParse(list[i], out _))
                {
                    problem($"{at}/{name}/{i}", "must be an address or a range such as 10.0.0.0/8 or 2001:db8::/32, with no bit set behind its length");
                }
            }
        }
    }

    private static void ValidateCors(CorsPolicy? cors, string at, Action<string, string> problem)
    {
        if (cors is null)
        {
            return;
        }

        if (cors.Origins.Count == 0)
        {
            problem($"{at}/origins", "must name at least one origin; leave the policy out for none");
        }

        for (var i = 0; i < cors.Origins.Count; i++)
        {
            if (cors.Origins[i] is not { } origin || (origin != "*" && !OriginForm().IsMatch(origin)))
            {
                problem($"{at}/origins/{i}", "must be *, or scheme and host in lower case with a port if it is not the usual one, such as https://app.example or https://*.example");
            }
            else if (origin == "*" && cors.AllowCredentials)
            {
                problem($"{at}/origins/{i}", "must not be * when credentials are allowed: any page could act for its visitors");
            }
        }

        foreach (var (list, name) in new[] { (cors.Headers, "headers"), (cors.ExposedHeaders, "exposedHeaders") })
        {
            for (var i = 0; i < list?.Count; i++)
            {
                if (!IsToken(list[i]) || (list[i] == "*" && cors.AllowCredentials))
                {
                    problem($"{at}/{name}/{i}", "must be a header name, or * when no credentials are allowed");
                }
            }
        }

        if (cors.MaxAgeSeconds is < 0 or > 86_400)
        {
            problem($"{at}/maxAgeSeconds", "must be 0 to 86,400 s");
        }
    }

    private static void ValidateBody(BodyPolicy? body, string at, Action<string, string> problem)
    {
        if (body?.MaxBytes is < 1 or > 1L << 40)
        {
            problem($"{at}/maxBytes", "must be 1 byte to 1 TiB");
        }

        for (var i = 0; i < body?.MediaTypes?.Count; i++)
        {
            if (body.MediaTypes[i] is not { } type || !MediaType().IsMatch(type))
            {
                problem($"{at}/mediaTypes/{i}", "must be a media type in lower case without parameters, such as application/json or image/*");
            }
        }
    }

    private static void ValidateRules(HeaderRules? rules, string at, Action<string, string> problem)
    {
        for (var i = 0; i < rules?.Remove?.Count; i++)
        {
            ValidateName(rules.Remove[i], $"{at}/remove/{i}");
        }

        foreach (var (pairs, name) in new[] { (rules?.Set, "set"), (rules?.Add, "add") })
        {
            foreach (var (header, value) in pairs ?? new Dictionary<string, string>())
            {
                ValidateName(header, $"{at}/{name}/{header}");
                ValidateValue(value, $"{at}/{name}/{header}", problem);
            }
        }

        void ValidateName(string? header, string where)
        {
            if (!IsToken(header))
            {
                problem(where, "must be a header name");
            }
            else if (Reserved.Contains(header!) || header!.StartsWith("X-Forwarded-", StringComparison.OrdinalIgnoreCase)
                || header.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase))
            {
                problem(where, "is the gateway's own to say: identity, framing, origin, limits and CORS are not changed by rules");
            }
        }
    }

    private static void ValidateSecurity(SecurityHeadersPolicy? security, string at, Action<string, string> problem)
    {
        ValidateValue(security?.ContentSecurityPolicy ?? "", $"{at}/contentSecurityPolicy", problem);
        ValidateValue(security?.ReferrerPolicy ?? "", $"{at}/referrerPolicy", problem);
        if (security?.StrictTransportSecuritySeconds is < 0)
        {
            problem($"{at}/strictTransportSecuritySeconds", "must not be negative");
        }
    }

    private static void ValidateValue(string? value, string at, Action<string, string> problem)
    {
        if (value is null || value.Length > 4096 || value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
        {
            problem(at, "must be at most 4,096 printable ASCII characters");
        }
    }

    private static bool IsToken(string? name) => !string.IsNullOrEmpty(name) && name.Length <= 128 && !name.AsSpan().ContainsAnyExcept(TokenCharacters);

    [GeneratedRegex("^[a-z][a-z0-9+.-]*://(\\*\\.)?([a-z0-9_-]+(\\.[a-z0-9_-]+)*|\\[[0-9a-f:.]+\\])(:[0-9]{1,5})?\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex OriginForm();

    [GeneratedRegex("^[a-z0-9!#$&^_.+-]+/([a-z0-9!#$&^_.+-]+|\\*)\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex MediaType();
}
