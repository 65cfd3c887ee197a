using Microsoft.Extensions.Logging;

namespace OpenPlatform.ServiceDefaults.Redis.InRepo;

internal static partial class RedisLog   // event ids 2100-2199
{
    [LoggerMessage(2101, LogLevel.Information, "Connected to Redis at {Host}:{Port}")]
    public static partial void Connected(this ILogger logger, string host, int port);

    [LoggerMessage(2102, LogLevel.Warning, "Redis is away, trying again: {Reason}")]
    public static partial void Away(this ILogger logger, string reason);

    [LoggerMessage(2103, LogLevel.Warning, "Lost the connection to Redis: {Reason}")]
    public static partial void Lost(this ILogger logger, string reason);

    [LoggerMessage(2104, LogLevel.Error, "A handler of Redis channel {Channel} failed")]
    public static partial void HandlerFailed(this ILogger logger, Exception exception, string channel);
}
