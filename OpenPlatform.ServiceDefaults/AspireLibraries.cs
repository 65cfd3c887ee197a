using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenPlatform.ServiceDefaults.Deployment;
using OpenPlatform.ServiceDefaults.Redis;
#if ASPIRE_PACKAGES
using IConnectionMultiplexer = StackExchange.Redis.IConnectionMultiplexer;
#else
using Microsoft.Extensions.Logging;
using OpenPlatform.ServiceDefaults.Redis.InRepo;
#endif

namespace OpenPlatform.ServiceDefaults;

/// <summary>
/// The one place of this project that knows which of the two sources of Aspire's service-side libraries is compiled in (property
/// UseAspirePackages). Discovery and resilience need no line here: the in-repo versions carry the official names and namespaces.
/// </summary>
internal static class AspireLibraries
{
    public static void AddRedis(IHostApplicationBuilder builder, string name)
    {
#if ASPIRE_PACKAGES
        // No health check: a service does not turn unready because Redis is away. And no failure at start for the same reason.
        AspireRedisExtensions.AddRedisClient(builder, name, settings => settings.DisableHealthChecks = true, options => options.AbortOnConnectFail = false);
#endif
        builder.Services.AddSingleton(services =>
        {
            var text = services.GetRequiredService<IConfiguration>().GetConnectionString(name);
            if (string.IsNullOrWhiteSpace(text))
            {
                throw new StartRefusedException(
                    $"ConnectionStrings:{name} is not set. Set ConnectionStrings__{name}=host:port,password=… or start the service from the AppHost.");
            }

            try
            {
                return Open(services, text);
            }
            catch (Exception e) when (e is FormatException or ArgumentException)
            {
                throw new StartRefusedException($"ConnectionStrings:{name}: {e.Message}", e);
            }
        });
    }

#if ASPIRE_PACKAGES
    private static IRedis Open(IServiceProvider services, string connectionString) => new StackExchangeRedis(services.GetRequiredService<IConnectionMultiplexer>());
#else
    private static IRedis Open(IServiceProvider services, string connectionString) => new RedisClient(
        RedisOptions.Parse(connectionString), services.GetService<TimeProvider>() ?? TimeProvider.System, services.GetRequiredService<ILogger<RedisClient>>());
#endif
}
