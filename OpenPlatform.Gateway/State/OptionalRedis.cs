using OpenPlatform.ServiceDefaults.Instances;
using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.Gateway.State;

/// <summary>Redis, when <c>ConnectionStrings:redis</c> names one. A gateway without it limits by itself, reads no leases and holds none.</summary>
internal sealed record OptionalRedis(IRedis? Client)
{
    public const string ConnectionName = "redis";

    public static bool IsConfigured(IConfiguration configuration) => !string.IsNullOrWhiteSpace(configuration.GetConnectionString(ConnectionName));
}

internal static class OptionalRedisServices
{
    public static void AddOptionalRedis(this IHostApplicationBuilder builder)
    {
        if (OptionalRedis.IsConfigured(builder.Configuration))
        {
            builder.AddRedisClient(OptionalRedis.ConnectionName);
            builder.AddLeaseRegistry();
            builder.AddInstanceLease();

            // Gateways believe each other's leases: the limit is divided by their number when Redis goes away.
            builder.Services.AddOptions<LeaseOptions>().PostConfigure<ServiceIdentity>(static (leases, identity) =>
            {
                if (leases.Key is { } own)
                {
                    leases.Keys.TryAdd(identity.Service, own);
                }
            });
            builder.Services.AddSingleton(static services => new OptionalRedis(services.GetRequiredService<IRedis>()));
        }
        else
        {
            builder.Services.AddSingleton(new OptionalRedis(null));
        }
    }
}
