using OpenPlatform.ServiceDefaults.Redis;
#if ASPIRE_PACKAGES // the one file of this project that depends on where the Aspire libraries come from
using ConnectionMultiplexer = StackExchange.Redis.ConnectionMultiplexer;
#else
using Microsoft.Extensions.Logging.Abstractions;
using OpenPlatform.ServiceDefaults.Redis.InRepo;
#endif

namespace OpenPlatform.Tests.Fixtures;

/// <summary>A connection of a test's own to a Redis, by the library that the services use.</summary>
internal sealed class RedisConnection : IAsyncDisposable
{
#if ASPIRE_PACKAGES
    private readonly ConnectionMultiplexer _connection;

    private RedisConnection(string connectionString)
    {
        _connection = ConnectionMultiplexer.Connect(connectionString);
        Redis = new StackExchangeRedis(_connection);
    }
#else
    private readonly RedisClient _connection;

    private RedisConnection(string connectionString) =>
        Redis = _connection = new RedisClient(RedisOptions.Parse(connectionString), TimeProvider.System, NullLogger<RedisClient>.Instance);
#endif

    public IRedis Redis { get; }

    public static RedisConnection Open(string connectionString) => new(connectionString);

    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}
