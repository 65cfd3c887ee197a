using System.Collections.Frozen;

namespace OpenPlatform.Gateway.Refusals;

/// <summary>What a refusal looks like to the caller.</summary>
/// <param name="Slug">Last part of its type URI and value of the metric's label.</param>
/// <param name="Status">HTTP status.</param>
/// <param name="Title">The same for every occurrence (RFC 9457).</param>
/// <param name="Detail">What the caller can do.</param>
internal sealed record RefusalShape(string Slug, int Status, string Title, string Detail)
{
    public string Type => "urn:openplatform:refusal:" + Slug;
}

/// <summary>The one table of refusals; docs/errors.md is compared with it by a test.</summary>
internal static class RefusalTable
{
    public static FrozenDictionary<Refusal, RefusalShape> Shapes { get; } = new Dictionary<Refusal, RefusalShape>
    {
        [Refusal.NotReady] = new("not-ready", 503, "The gateway is not ready", "It has no configuration yet. Try again shortly."),
        [Refusal.BadFraming] = new("bad-framing", 400, "The request can be read in more than one way", "Send one Host, one Content-Length or one chunked coding, and lines that end in CR LF."),
        [Refusal.MalformedRequest] = new("malformed-request", 400, "The request is not one of HTTP/1.1", "Check the request line, the names and values of the header fields, and Host."),
        [Refusal.AmbiguousPath] = new("ambiguous-path", 400, "The path is ambiguous", "Send it without encoded slashes, backslashes, percent signs and dot segments."),
        [Refusal.UnknownPath] = new("unknown-path", 404, "Nothing is published here", "Check the base path, the version and the path of the operation."),
        [Refusal.MethodNotAllowed] = new("method-not-allowed", 405, "The method is not offered here", "Use one of the methods in Allow."),
        [Refusal.VersionRetired] = new("version-retired", 410, "This version of the API has ended", "Use the version that successor and Link name, or ask the operator of this platform."),
        [Refusal.VersionBlocked] = new("version-blocked", 503, "This version of the API is blocked", "The operator of this platform has blocked it, for the reason given. Try again as Retry-After says, when it does."),
        [Refusal.OriginNotAllowed] = new("origin-not-allowed", 403, "Pages of this origin may not call this API", "Ask the operator of this platform to allow the origin, or the headers that the page sends."),
        [Refusal.MissingKey] = new("missing-key", 401, "A credential is required", "Send an API key in X-Api-Key or in Authorization as a Bearer token, or what else the plan accepts."),
        [Refusal.ConflictingKeys] = new("conflicting-keys", 401, "More than one API key was sent", "Send exactly one key, in X-Api-Key or in Authorization."),
        [Refusal.UnknownKey] = new("unknown-key", 401, "The key is not valid", "Check the key; it may have been revoked."),
        [Refusal.ExpiredKey] = new("expired-key", 401, "The key has expired", "Use a newer key of the application."),
        [Refusal.MalformedSignature] = new("malformed-signature", 401, "The signature cannot be read", "Send all of its headers, once each, in the form that the signing guide shows."),
        [Refusal.IncompleteSignature] = new("incomplete-signature", 401, "The signature does not cover enough", "Sign method, path, query and, when there is a body, Content-Digest, with the time and, where the plan checks replays, a nonce."),
        [Refusal.UntimelySignature] = new("untimely-signature", 401, "The time of the signature is not now", "Set the clock and sign again."),
        [Refusal.WrongSignature] = new("wrong-signature", 401, "The signature is not right", "Compare what you sign with the signing guide; check the key and that nothing on the way changes the request."),
        [Refusal.ReplayedRequest] = new("replayed-request", 401, "The request was made before", "Sign each request, and each retry, with a nonce of its own."),
        [Refusal.InvalidToken] = new("invalid-token", 401, "The access token is not valid", "Get one from an issuer of this platform, for its audience."),
        [Refusal.ExpiredToken] = new("expired-token", 401, "The access token has expired", "Get a new one."),
        [Refusal.IssuerKeysUnavailable] = new("issuer-keys-unavailable", 503, "The access token cannot be checked", "The keys of its issuer could not be fetched yet. Try again as Retry-After says."),
        [Refusal.SchemeNotAccepted] = new("scheme-not-accepted", 403, "The plan does not accept this kind of credential", "Use one of those in WWW-Authenticate, or another plan."),
        [Refusal.ApplicationSuspended] = new("application-suspended", 403, "The application is suspended", "Ask the operator of this platform."),
        [Refusal.NotSubscribed] = new("not-subscribed", 403, "The application is not subscribed to this API version", "Subscribe to it, or wait for the subscription to become active."),
        [Refusal.AddressNotAllowed] = new("address-not-allowed", 403, "The API may not be called from this address", "Call from an address that the operator of this platform has allowed."),
        [Refusal.InsufficientScope] = new("insufficient-scope", 403, "The operation needs a scope that was not granted", "Get a token, or a plan, with the scopes that WWW-Authenticate names."),
        [Refusal.RateLimited] = new("rate-limited", 429, "The rate limit is used up", "Wait as many seconds as Retry-After says."),
        [Refusal.QuotaUsedUp] = new("quota-used-up", 429, "The quota is used up", "It begins anew with the next day or month (UTC), in as many seconds as Retry-After says."),
        [Refusal.BadRequestBody] = new("bad-request-body", 400, "The request body could not be read", "Send the whole body as its headers announce it."),
        [Refusal.DigestMismatch] = new("digest-mismatch", 400, "The body is not the signed one", "Digest the bytes of the body exactly as they are sent."),
        [Refusal.CheckedBodyTooLarge] = new("checked-body-too-large", 413, "The body is too large to be checked", "Bodies that are signed, or checked against a schema, are read whole: send less, or in parts."),
        [Refusal.MediaTypeNotAccepted] = new("media-type-not-accepted", 415, "The media type of the body is not accepted", "Send what the API's description says, without Content-Encoding where the body is checked."),
        [Refusal.BodyRequired] = new("body-required", 400, "A body is required", "Send one of the media type that the API's description says."),
        [Refusal.BodyNotMatching] = new("body-not-matching", 422, "The body does not match the API's description", "Correct what errors lists."),
        [Refusal.RequestBodyTooLarge] = new("request-body-too-large", 413, "The request body is too large", "Send less, or in parts."),
        [Refusal.RequestBodyTimeout] = new("request-body-timeout", 408, "The request body came too slowly", "Send it faster, or in parts."),
        [Refusal.RequestHeadTimeout] = new("request-head-timeout", 408, "The head of the request came too slowly", "Send it at once."),
        [Refusal.RequestLineTooLong] = new("request-line-too-long", 414, "Method, path and query are too long", "Send what is long in a body, or in parts."),
        [Refusal.RequestHeadTooLarge] = new("request-head-too-large", 431, "The head of the request is too large", "Send fewer or shorter header fields."),
        [Refusal.NoInstance] = new("no-instance", 503, "The API is not available", "No instance of it is running at the moment. Try again as Retry-After says."),
        [Refusal.BackendSwitchedOff] = new("backend-switched-off", 503, "The API is switched off", "It is under maintenance. Try again later."),
        [Refusal.CircuitOpen] = new("circuit-open", 503, "The API is failing", "It is given time to recover. Try again as Retry-After says."),
        [Refusal.TooManyAtOnce] = new("too-many-at-once", 503, "Too many requests are under way", "Send fewer at the same time, or try again as Retry-After says."),
        [Refusal.Overloaded] = new("overloaded", 503, "The API is overloaded", "Try again as Retry-After says; higher plans are served first."),
        [Refusal.BackendUnreachable] = new("backend-unreachable", 502, "The API cannot be reached", "Try again shortly."),
        [Refusal.BackendFailed] = new("backend-failed", 502, "The API broke off", "The request may have had an effect. Try again if it is safe to."),
        [Refusal.BackendTimeout] = new("backend-timeout", 504, "The API did not answer in time", "The request may have had an effect. Try again if it is safe to."),
        [Refusal.InternalError] = new("internal-error", 500, "The gateway failed", "Report the request id to the operator of this platform."),
    }.ToFrozenDictionary();
}
