using System.Security.Cryptography;
using System.Text;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.StandAlone;

/// <summary>
/// A gateway without catalog, Postgres and Redis. The file takes the place of the catalog; usage goes to nobody and is not counted;
/// limits hold for this gateway by itself unless a Redis is configured.
/// </summary>
internal static class StandAloneServices
{
    private const string PepperKey = "OpenPlatform:KeyPepper";

    /// <summary>The file of <c>--snapshot</c>; null when this gateway has a catalog.</summary>
    public static string? SnapshotFile(this IConfiguration configuration) =>
        configuration[GatewayCommand.SnapshotKey] is { Length: > 0 } path ? path : null;

    public static void AddStandAlone(this WebApplicationBuilder builder, string path)
    {
        // Keys stand in the file, hashes only in memory: any pepper will do unless the file holds hashes made with a certain one.
        if (string.IsNullOrEmpty(builder.Configuration[PepperKey]))
        {
            builder.Configuration[PepperKey] = Convert.ToHexString(AnyPepper());
        }

        var pepper = Encoding.UTF8.GetBytes(builder.Configuration[PepperKey]!);
        builder.Services.AddActiveSnapshot();
        builder.Services.AddSingleton(provider => new SnapshotFile(path, pepper, provider.GetRequiredService<TimeProvider>()));
        builder.Services.AddHostedService<SnapshotFileWatcher>();
    }

    /// <summary>32 random bytes.</summary>
    public static byte[] AnyPepper() => RandomNumberGenerator.GetBytes(32);
}
