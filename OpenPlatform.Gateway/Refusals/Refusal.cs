namespace OpenPlatform.Gateway.Refusals;

/// <summary>
/// Every reason for which the gateway answers instead of the backend. A member is one row of <see cref="RefusalTable"/>, one
/// value of the metric <c>openplatform.gateway.refusals</c> and one row of docs/errors.md.
/// </summary>
internal enum Refusal
{
    /// <summary>Not refused.</summary>
    None,

    /// <summary>No snapshot was ever applied.</summary>
    NotReady,

    /// <summary>The head of the request can be read in two ways.</summary>
    BadFraming,

    /// <summary>The head of the request is not one of HTTP/1.1, or names no host that there could be.</summary>
    MalformedRequest,

    /// <summary>The path can be read in two ways (a percent sign or backslash is left after decoding).</summary>
    AmbiguousPath,

    /// <summary>No API version is published under the path, or it has no such operation.</summary>
    UnknownPath,

    /// <summary>The path exists, but not with this method; <c>Allow</c> lists those it has.</summary>
    MethodNotAllowed,

    /// <summary>The API version has ended; <c>successor</c> says what came after it.</summary>
    VersionRetired,

    /// <summary>The operator has blocked the API version, with or without an end.</summary>
    VersionBlocked,

    /// <summary>The API may not be called by pages of this origin, or not with these headers.</summary>
    OriginNotAllowed,

    /// <summary>No credential was presented.</summary>
    MissingKey,

    /// <summary>Two different keys were presented.</summary>
    ConflictingKeys,

    /// <summary>The key is not known (any more).</summary>
    UnknownKey,

    /// <summary>The key has expired.</summary>
    ExpiredKey,

    /// <summary>The parts of a signature are missing or cannot be read.</summary>
    MalformedSignature,

    /// <summary>The signature does not cover what it must, or lacks a time or a nonce.</summary>
    IncompleteSignature,

    /// <summary>The time of the signature is too far from now.</summary>
    UntimelySignature,

    /// <summary>The signature is not that of the key over this request.</summary>
    WrongSignature,

    /// <summary>The nonce of the signature was used before.</summary>
    ReplayedRequest,

    /// <summary>The access token is malformed, of no known issuer or key, or not for this platform.</summary>
    InvalidToken,

    /// <summary>The access token has expired.</summary>
    ExpiredToken,

    /// <summary>The keys of the token's issuer could never be fetched.</summary>
    IssuerKeysUnavailable,

    /// <summary>The application's plan does not accept this kind of credential.</summary>
    SchemeNotAccepted,

    /// <summary>The application is suspended.</summary>
    ApplicationSuspended,

    /// <summary>The application has no active subscription to this API version.</summary>
    NotSubscribed,

    /// <summary>The API, or the application, may not be used from this address.</summary>
    AddressNotAllowed,

    /// <summary>The operation asks for scopes that plan or token do not grant; <c>WWW-Authenticate</c> names them.</summary>
    InsufficientScope,

    /// <summary>The plan's rate limit is used up; <c>Retry-After</c> says for how long.</summary>
    RateLimited,

    /// <summary>The quota of the calendar period is used up.</summary>
    QuotaUsedUp,

    /// <summary>The request body broke off or was malformed.</summary>
    BadRequestBody,

    /// <summary>The body is not the one whose digest was signed.</summary>
    DigestMismatch,

    /// <summary>The request body is larger than bodies may be that are checked as a whole.</summary>
    CheckedBodyTooLarge,

    /// <summary>The body has a media type, or a coding, that the operation does not take.</summary>
    MediaTypeNotAccepted,

    /// <summary>The operation needs a body.</summary>
    BodyRequired,

    /// <summary>The body does not match the operation's schema; <c>errors</c> says where.</summary>
    BodyNotMatching,

    /// <summary>The request body is larger than the gateway accepts.</summary>
    RequestBodyTooLarge,

    /// <summary>The client sent its body too slowly.</summary>
    RequestBodyTimeout,

    /// <summary>The client sent the head of its request too slowly.</summary>
    RequestHeadTimeout,

    /// <summary>Method, path and query are longer than any accepted ones.</summary>
    RequestLineTooLong,

    /// <summary>The head of the request is longer than any accepted one.</summary>
    RequestHeadTooLarge,

    /// <summary>No instance of the backend is there to be asked.</summary>
    NoInstance,

    /// <summary>The operator has switched the backend off, and nothing stands in for it.</summary>
    BackendSwitchedOff,

    /// <summary>The backend failed too often; its breaker is open.</summary>
    CircuitOpen,

    /// <summary>The API or the application has as many requests under way as it may.</summary>
    TooManyAtOnce,

    /// <summary>The backend has as many requests in flight as it can work on.</summary>
    Overloaded,

    /// <summary>No connection to the backend could be made.</summary>
    BackendUnreachable,

    /// <summary>The backend broke off, or answered what is not HTTP.</summary>
    BackendFailed,

    /// <summary>The backend did not answer in time.</summary>
    BackendTimeout,

    /// <summary>A fault of the gateway itself.</summary>
    InternalError,
}
