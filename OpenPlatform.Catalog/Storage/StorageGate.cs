using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Storage;

internal static class StorageGate
{
    /// <summary>Answers 503 instead of running into tables that are not there yet.</summary>
    public static TBuilder RequireStorage<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder =>
        builder.AddEndpointFilter(static async (context, next) =>
            context.HttpContext.RequestServices.GetRequiredService<StorageState>().IsReady
                ? await next(context)
                : CatalogProblem.Unavailable("The catalog is starting: its database is not ready yet."));
}
