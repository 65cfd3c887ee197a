using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Catalog.Snapshots;

internal static class SnapshotEndpoints
{
    public static IServiceCollection AddSnapshots(this IServiceCollection services)
    {
        services.AddSingleton<ConfigChanges>();
        services.AddSingleton<ShardWriter>();
        services.AddSingleton(static provider => new ManifestSigner(provider.GetRequiredService<IOptions<CatalogOptions>>().Value.ServiceToken));
        services.AddSingleton<RevisionAnnouncer>();
        services.AddSingleton<ActiveSnapshot>();
        services.AddSingleton<ConfigFeed>();
        services.AddSingleton<ConfigStream>();
        services.AddHostedService<RevisionListener>();
        services.AddSingleton<Storage.IStartupWork, FirstRevision>();
        return services;
    }

    public static void MapSnapshots(this IEndpointRouteBuilder gateways)
    {
        gateways.MapGet(InternalApi.SnapshotPath, GetSnapshot);
        gateways.MapGet(InternalApi.ConfigPath, GetRevision);
        gateways.MapPost(InternalApi.ConfigPath, static (HttpContext context, ConfigStream stream) => stream.ServeAsync(context))
            .WithMetadata(new Microsoft.AspNetCore.Mvc.RequestSizeLimitAttribute(ConfigStream.MostHaveBytes));
    }

    private static async Task<IResult> GetRevision(ConfigFeed feed, CancellationToken cancellationToken) =>
        TypedResults.Text((await feed.NextAsync(null, cancellationToken)).Manifest.Revision.ToString(System.Globalization.CultureInfo.InvariantCulture));

    private static async Task<IResult> GetSnapshot(ActiveSnapshot active, CancellationToken cancellationToken)
    {
        var entry = await active.ReadAsync(cancellationToken);
        return TypedResults.Bytes(entry.Json, "application/json", entityTag: new EntityTagHeaderValue($"\"{entry.Revision}\""));
    }
}
