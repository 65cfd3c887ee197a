namespace OpenPlatform.Gateway.Usage;

internal static partial class UsageLog   // event ids 1300-1399
{
    [LoggerMessage(1301, LogLevel.Critical, "The usage spool cannot be written; counting in memory until it can")]
    public static partial void SpoolUnusable(this ILogger logger, Exception exception);

    [LoggerMessage(1302, LogLevel.Warning, "Usage waits in the spool, the catalog does not take it: {Reason}")]
    public static partial void UsageWaits(this ILogger logger, string reason);

    [LoggerMessage(1303, LogLevel.Information, "The catalog takes usage again")]
    public static partial void UsageDeliveredAgain(this ILogger logger);

    [LoggerMessage(1304, LogLevel.Information, "Shipped {Units} units of the dead gateway {Gateway}")]
    public static partial void OrphanShipped(this ILogger logger, string gateway, long units);

    [LoggerMessage(1305, LogLevel.Error, "A damaged usage segment was set aside as {Path}: {Damage}")]
    public static partial void SegmentSetAside(this ILogger logger, string path, string damage);

    [LoggerMessage(1307, LogLevel.Error, "The catalog refused batch {Sequence} of {Gateway} with {Status}; its {Units} units were set aside in the spool folder")]
    public static partial void BatchRefused(this ILogger logger, string gateway, long sequence, long units, int status);

    [LoggerMessage(1306, LogLevel.Warning, "Stopping with usage in the spool, the next gateway will ship it: {Reason}")]
    public static partial void UsageLeftBehind(this ILogger logger, string reason);
}
