using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Storage;

internal static class StorageGate
{
    /// <summary>Says of endpoints that they read or write the database.</summary>
    public static TBuilder RequireStorage<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new NeedsStorage());

    /// <summary>Answers 503 instead of running into tables that are not there yet.</summary>
    public static IApplicationBuilder UseStorageGate(this IApplicationBuilder app)
    {
        var storage = app.ApplicationServices.GetRequiredService<StorageState>();
        return app.Use((context, next) => storage.IsReady || context.GetEndpoint()?.Metadata.GetMetadata<NeedsStorage>() is null
            ? next(context)
            : CatalogProblem.Unavailable("The catalog is starting: its database is not ready yet.").ExecuteAsync(context));
    }

    private sealed class NeedsStorage;
}
