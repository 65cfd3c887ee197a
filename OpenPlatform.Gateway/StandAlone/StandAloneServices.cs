using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.StandAlone;

/// <summary>
/// A gateway without catalog, Postgres and Redis. The file takes the place of the catalog; usage goes to nobody and is not counted;
/// limits hold for this gateway by itself unless a Redis is configured.
/// </summary>
internal static class StandAloneServices
{
    /// <summary>The file of <c>--snapshot</c>; null when this gateway has a catalog.</summary>
    public static string? SnapshotFile(this IConfiguration configuration) =>
        configuration[GatewayCommand.SnapshotKey] is { Length: > 0 } path ? path : null;

    public static void AddStandAlone(this WebApplicationBuilder builder, string path)
    {
        var secrets = DeploymentSecrets.Of(builder.Configuration);
        builder.Services.AddActiveSnapshot();
        builder.Services.AddSingleton(provider => new SnapshotFile(path, secrets, provider.GetRequiredService<TimeProvider>()));
        builder.Services.AddHostedService<SnapshotFileWatcher>();
    }
}
