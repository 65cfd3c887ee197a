using OpenPlatform.Catalog.Idempotency;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Resources;

/// <summary>What the OpenAPI document says about the kinds of endpoints.</summary>
internal static class ResourceEndpoints
{
    private const string ProblemJson = "application/problem+json";

    public static RouteHandlerBuilder Creates<T>(this RouteHandlerBuilder endpoint, string name, string summary) => endpoint
        .Describe(name, summary)
        .WithMetadata(new AnswersCreated())
        .Produces<T>(StatusCodes.Status201Created)
        .Problems(StatusCodes.Status409Conflict, StatusCodes.Status422UnprocessableEntity);

    public static RouteHandlerBuilder Reads<T>(this RouteHandlerBuilder endpoint, string name, string summary) => endpoint
        .Describe(name, summary)
        .Produces<T>(StatusCodes.Status200OK)
        .Produces(StatusCodes.Status304NotModified)
        .Problems(StatusCodes.Status404NotFound);

    public static RouteHandlerBuilder Lists<T>(this RouteHandlerBuilder endpoint, string name, string summary) => endpoint
        .Describe(name, summary)
        .Produces<Page<T>>(StatusCodes.Status200OK);

    public static RouteHandlerBuilder Changes<T>(this RouteHandlerBuilder endpoint, string name, string summary, int status = StatusCodes.Status200OK) => endpoint
        .Describe(name, summary)
        .Produces<T>(status)
        .Problems(StatusCodes.Status404NotFound, StatusCodes.Status409Conflict, StatusCodes.Status412PreconditionFailed,
            StatusCodes.Status422UnprocessableEntity, StatusCodes.Status428PreconditionRequired);

    /// <summary>PATCH with a <see cref="MergePatch"/> of the request that creates it.</summary>
    public static RouteHandlerBuilder Patches<T, TRequest>(this RouteHandlerBuilder endpoint, string name, string summary)
        where TRequest : class => endpoint
        .Changes<T>(name, summary)
        .Accepts<TRequest>(MergePatch.MediaType)
        .Problems(StatusCodes.Status415UnsupportedMediaType);

    public static RouteHandlerBuilder Deletes(this RouteHandlerBuilder endpoint, string name, string summary) => endpoint
        .Describe(name, summary)
        .Produces(StatusCodes.Status204NoContent)
        .Problems(StatusCodes.Status404NotFound, StatusCodes.Status409Conflict, StatusCodes.Status412PreconditionFailed, StatusCodes.Status428PreconditionRequired);

    public static RouteHandlerBuilder Describe(this RouteHandlerBuilder endpoint, string name, string summary) => endpoint
        .WithName(name)
        .WithSummary(summary)
        .Problems(StatusCodes.Status400BadRequest, StatusCodes.Status401Unauthorized, StatusCodes.Status403Forbidden, StatusCodes.Status503ServiceUnavailable);

    public static RouteHandlerBuilder Problems(this RouteHandlerBuilder endpoint, params ReadOnlySpan<int> statuses)
    {
        foreach (var status in statuses)
        {
            endpoint.Produces<ProblemBody>(status, ProblemJson);
        }

        return endpoint;
    }
}
