namespace OpenPlatform.Catalog.Tokens;

/// <summary>An error answer of RFC 6749, 5.2.</summary>
/// <param name="Code">One of the registered ones.</param>
/// <param name="Description">For the developer of the client; printable ASCII without quotation mark and backslash, never anything that was sent.</param>
internal sealed record OAuthError(int Status, string Code, string Description) : IResult
{
    /// <summary>After too many failures, seconds to wait.</summary>
    private const string RetryAfterSeconds = "60";

    public static OAuthError InvalidRequest(string description) => new(StatusCodes.Status400BadRequest, "invalid_request", description);

    public static OAuthError InvalidClient(string description) => new(StatusCodes.Status401Unauthorized, "invalid_client", description);

    public static OAuthError TooManyFailures() => new(StatusCodes.Status429TooManyRequests, "invalid_client", "too many failed authentications; wait a minute");

    public static OAuthError InvalidGrant(string description) => new(StatusCodes.Status400BadRequest, "invalid_grant", description);

    public static OAuthError InvalidScope(string description) => new(StatusCodes.Status400BadRequest, "invalid_scope", description);

    public static OAuthError UnsupportedGrant() => new(StatusCodes.Status400BadRequest, "unsupported_grant_type", "only client_credentials");

    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = Status;
        OAuthAnswers.NotStored(response);
        if (Status == StatusCodes.Status401Unauthorized)
        {
            // RFC 6749, 5.2: required when it was tried by header; harmless otherwise.
            response.Headers.WWWAuthenticate = "Basic realm=\"openplatform\", charset=\"UTF-8\"";
        }
        else if (Status == StatusCodes.Status429TooManyRequests)
        {
            response.Headers.RetryAfter = RetryAfterSeconds;
        }

        return response.WriteAsJsonAsync(new { error = Code, error_description = Description }, httpContext.RequestAborted);
    }
}

internal static class OAuthAnswers
{
    /// <summary>RFC 6749, 5.1: nothing between here and the client keeps it.</summary>
    public static void NotStored(HttpResponse response)
    {
        response.Headers.CacheControl = "no-store";
        response.Headers.Pragma = "no-cache";
    }
}
