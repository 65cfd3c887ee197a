using Microsoft.AspNetCore.Http.Features;

namespace OpenPlatform.Catalog.Resources;

internal static class OptionalBodies
{
    /// <summary>
    /// A POST without a body is routed as one with an empty JSON body. Routing chooses among the verbs of a resource by the media type; where one of them
    /// takes no body at all, it would send everything without a media type there, and a verb whose body may be absent would answer 404 without one.
    /// Before routing.
    /// </summary>
    public static IApplicationBuilder UseOptionalBodies(this IApplicationBuilder app) => app.Use(static (context, next) =>
    {
        if (HttpMethods.IsPost(context.Request.Method) && context.Request.ContentType is null && context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == false)
        {
            context.Request.ContentType = "application/json";
        }

        return next(context);
    });
}
