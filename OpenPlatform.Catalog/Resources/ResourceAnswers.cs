using Microsoft.Net.Http.Headers;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Resources;

/// <summary>How a resource is answered: the body and its strong ETag.</summary>
internal static class ResourceAnswers
{
    /// <summary>201 with <c>Location</c>, or the problem.</summary>
    public static IResult Created<T>(string collection, Outcome<T> outcome)
        where T : ICatalogResource =>
        outcome.Problem ?? (IResult)new Answer<T>(outcome.Value, StatusCodes.Status201Created, $"{collection}/{outcome.Value.Id}");

    /// <summary>200 with the resource as it is now, or the problem.</summary>
    public static IResult Changed<T>(Outcome<T> outcome)
        where T : ICatalogResource =>
        outcome.Problem ?? (IResult)new Answer<T>(outcome.Value, StatusCodes.Status200OK, null);

    /// <summary>204, or the problem.</summary>
    public static IResult Deleted(Outcome<bool> outcome) => outcome.Problem ?? (IResult)TypedResults.NoContent();

    /// <summary>200, 304 when the caller has it already, or 404.</summary>
    public static IResult Found<T>(T? resource, string what, Guid id)
        where T : class, ICatalogResource =>
        resource is null ? CatalogProblem.NotFound(what, id) : new Answer<T>(resource, StatusCodes.Status200OK, null);

    private sealed class Answer<T>(T resource, int status, string? location) : IResult
        where T : ICatalogResource
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            var (request, response) = (httpContext.Request, httpContext.Response);
            var etag = $"\"{resource.Etag}\"";
            response.Headers.ETag = etag;
            // May hold a key that is shown once, and is never anybody else's business.
            response.Headers.CacheControl = status == StatusCodes.Status201Created ? "no-store" : "private, no-cache";
            if (location is not null)
            {
                response.Headers.Location = location;
            }

            if (HttpMethods.IsGet(request.Method) && request.Headers.IfNoneMatch.Count > 0 && !resource.ShowsMoreThanEtag && IsKnown(request, new(etag)))
            {
                response.StatusCode = StatusCodes.Status304NotModified;
                return Task.CompletedTask;
            }

            response.StatusCode = status;
            return JsonBody.WriteAsync(httpContext, resource);
        }

        private static bool IsKnown(HttpRequest request, EntityTagHeaderValue etag) =>
            request.GetTypedHeaders().IfNoneMatch.Any(known => known.Equals(EntityTagHeaderValue.Any) || known.Compare(etag, useStrongComparison: false));
    }
}
