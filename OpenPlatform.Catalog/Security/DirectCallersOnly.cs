using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Security;

internal static class DirectCallersOnly
{
    /// <summary>
    /// Under <paramref name="prefix"/> answers 404 to every request that came through a proxy, with a right token too: what a gateway
    /// forwards must never reach the internal API. A proxy is known by <c>Via</c>, <c>Forwarded</c>, <c>X-Forwarded-*</c>, and by
    /// <c>X-Original-*</c>, which ASP.NET Core's forwarded-headers middleware leaves where it took the others away.
    /// </summary>
    public static IApplicationBuilder UseDirectCallersOnly(this IApplicationBuilder app, PathString prefix) => app.Use((context, next) =>
        context.Request.Path.StartsWithSegments(prefix) && CameThroughProxy(context.Request.Headers)
            ? CatalogProblem.OfStatus(StatusCodes.Status404NotFound).ExecuteAsync(context)
            : next(context));

    private static bool CameThroughProxy(IHeaderDictionary headers)
    {
        foreach (var (name, _) in headers)
        {
            if (name.Equals("Via", StringComparison.OrdinalIgnoreCase)
                || name.Equals("Forwarded", StringComparison.OrdinalIgnoreCase)
                || name.StartsWith("X-Forwarded-", StringComparison.OrdinalIgnoreCase)
                || name.StartsWith("X-Original-", StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
