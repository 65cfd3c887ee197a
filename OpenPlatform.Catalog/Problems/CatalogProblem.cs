using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace OpenPlatform.Catalog.Problems;

/// <summary>One wrong member of a request.</summary>
/// <param name="Pointer">JSON pointer (RFC 6901) into the request body; a query parameter is written <c>?cursor</c>.</param>
/// <param name="Detail">What is wrong and what would be right.</param>
public sealed record ProblemError(string Pointer, string Detail);

/// <summary>An answer other than the one that was asked for: RFC 9457, <c>application/problem+json</c>.</summary>
/// <param name="Code">Stable; the last part of <c>type</c>.</param>
public sealed record CatalogProblem(int Status, string Code, string Title, string? Detail, IReadOnlyList<ProblemError> Errors) : IResult
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // readable quotes; it is never HTML
    };

    /// <summary>What is sent in the <c>Retry-After</c> header, whole seconds; null: nothing, save with 503.</summary>
    public TimeSpan? RetryAfter { get; init; }

    public static CatalogProblem Malformed(string detail, params IReadOnlyList<ProblemError> errors) =>
        new(StatusCodes.Status400BadRequest, "malformed-request", "The request cannot be read", detail, errors);

    public static CatalogProblem Unauthorized() =>
        new(StatusCodes.Status401Unauthorized, "unauthorized", "A valid bearer token is required", "Send Authorization: Bearer <token>.", []);

    /// <summary>Known, but without the permission.</summary>
    internal static CatalogProblem Forbidden(Security.Permission permission) =>
        new(StatusCodes.Status403Forbidden, "forbidden", "Your role does not allow it", $"It needs the permission {permission}; docs/roles.md says which roles have it.", []);

    public static CatalogProblem LoginFailed() =>
        new(StatusCodes.Status401Unauthorized, "login-failed", "Name or password is wrong", null, []);

    public static CatalogProblem TooManyLogins(TimeSpan pause) =>
        new(StatusCodes.Status429TooManyRequests, "too-many-logins", "Too many wrong passwords", $"Try again in {pause.TotalSeconds} s.", []) { RetryAfter = pause };

    public static CatalogProblem NotFound(string what, Guid id) =>
        new(StatusCodes.Status404NotFound, "not-found", "There is no such resource", $"There is no {what} {id}.", []);

    public static CatalogProblem Conflict(string pointer, string detail) =>
        new(StatusCodes.Status409Conflict, "conflict", "It conflicts with what is there", null, [new(pointer, detail)]);

    /// <summary>Callers that work now would fail.</summary>
    public static CatalogProblem Breaking(IReadOnlyList<ProblemError> errors) =>
        new(StatusCodes.Status409Conflict, "breaking-change", "It breaks callers", "Publish it as a new version of the API; docs/publishing.md explains each rule.", errors);

    public static CatalogProblem Changed() =>
        new(StatusCodes.Status412PreconditionFailed, "precondition-failed", "It was changed meanwhile", "Read it again and repeat the change with its new ETag in If-Match.", []);

    public static CatalogProblem IfMatchRequired() =>
        new(StatusCodes.Status428PreconditionRequired, "precondition-required", "If-Match is required", "Send the ETag of the resource in If-Match, or * to change it in whatever state it is.", []);

    public static CatalogProblem IdempotencyKeyReused() =>
        new(StatusCodes.Status422UnprocessableEntity, "idempotency-key-reused", "The Idempotency-Key belongs to another request", "It was used with another body or another path. Use a new key for a new request.", []);

    public static CatalogProblem StillRunning() =>
        new(StatusCodes.Status409Conflict, "still-running", "The first request with this Idempotency-Key is still running", "Repeat it in a moment to get its answer.", []);

    public static CatalogProblem AnswerLost() =>
        new(StatusCodes.Status409Conflict, "answer-lost", "The request was done, but its answer cannot be repeated", "OpenPlatform:KeyPepper was changed since. Read the resource.", []);

    public static CatalogProblem Invalid(params IReadOnlyList<ProblemError> errors) =>
        new(StatusCodes.Status422UnprocessableEntity, "invalid-request", "The request is not valid", null, errors);

    public static CatalogProblem Unavailable(string detail) =>
        new(StatusCodes.Status503ServiceUnavailable, "unavailable", "The catalog cannot answer now", detail, []);

    /// <summary>A problem that HTTP itself knows, such as 405 or 413.</summary>
    public static CatalogProblem OfStatus(int status, string? detail = null) => status switch
    {
        StatusCodes.Status401Unauthorized => Unauthorized(),
        StatusCodes.Status404NotFound => new(status, "not-found", "There is no such resource", detail, []),
        StatusCodes.Status405MethodNotAllowed => new(status, "method-not-allowed", "The resource does not have this method", detail, []),
        StatusCodes.Status413PayloadTooLarge => new(status, "too-large", "The request is too large", detail, []),
        StatusCodes.Status415UnsupportedMediaType => new(status, "unsupported-media-type", "The body has another media type than this endpoint takes", detail, []),
        < 500 => new(status, "malformed-request", "The request cannot be read", detail, []),
        _ => new(status, "unexpected", "Something went wrong in the catalog", detail, []),
    };

    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = Status;
        response.Headers.CacheControl = "no-store";
        if ((RetryAfter ?? (Status == StatusCodes.Status503ServiceUnavailable ? TimeSpan.FromSeconds(1) : null)) is { } pause)
        {
            response.Headers.RetryAfter = ((long)pause.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        }

        var body = new ProblemBody("urn:openplatform:problem:" + Code, Title, Status, Detail,
            RequestTraces.IdOf(httpContext), Errors.Count == 0 ? null : Errors);
        return response.WriteAsJsonAsync(body, Json, "application/problem+json", httpContext.RequestAborted);
    }
}

/// <summary>The wire form of a <see cref="CatalogProblem"/>.</summary>
/// <param name="Type">Stable: <c>urn:openplatform:problem:&lt;code&gt;</c>.</param>
/// <param name="TraceId">W3C trace id of the request, to find it in the telemetry.</param>
public sealed record ProblemBody(string Type, string Title, int Status, string? Detail, string TraceId, IReadOnlyList<ProblemError>? Errors);
