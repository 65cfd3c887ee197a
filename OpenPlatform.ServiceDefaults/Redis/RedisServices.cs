using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.ServiceDefaults;
using OpenPlatform.ServiceDefaults.Redis;

namespace Microsoft.Extensions.Hosting;

/// <summary>Registers <see cref="IRedis"/>.</summary>
public static class RedisServices
{
    /// <summary>
    /// Registers <see cref="IRedis"/> for the server of <c>ConnectionStrings:&lt;name&gt;</c>
    /// (<c>host:port,password=…,ssl=true,user=…,defaultDatabase=…</c>). It connects in the background when the host starts and for
    /// ever after: a server that is away neither stops nor delays a start. A service has one <see cref="IRedis"/>; the first name wins.
    /// </summary>
    /// <exception cref="InvalidOperationException">At host start: the connection string is missing or malformed.</exception>
    public static void AddRedisClient(this IHostApplicationBuilder builder, string name)
    {
        builder.AddRedisRegistration(name);
        builder.Services.AddHostedService<RedisAtStart>(); // added once, however often this is called
    }

    /// <summary>The registration alone: what is missing shows when <see cref="IRedis"/> is first asked for.</summary>
    internal static void AddRedisRegistration(this IHostApplicationBuilder builder, string name)
    {
        if (!builder.Services.Any(service => service.ServiceType == typeof(IRedis)))
        {
            AspireLibraries.AddRedis(builder, name);
        }
    }

    /// <summary>Makes the connection begin with the host instead of with the first call.</summary>
    private sealed class RedisAtStart(IRedis redis) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            _ = redis.IsAvailable; // resolving it has begun the connection
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
