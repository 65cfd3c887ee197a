namespace OpenPlatform.Gateway.Authentication;

internal static partial class AuthenticationLog   // event ids 1500-1599
{
    [LoggerMessage(1501, LogLevel.Warning, "Redis cannot be asked about nonces ({Reason}): each gateway refuses only replays of what it saw itself")]
    public static partial void ReplayCheckAlone(this ILogger logger, string reason);

    [LoggerMessage(1502, LogLevel.Information, "Redis answers about nonces again")]
    public static partial void ReplayCheckShared(this ILogger logger);

    [LoggerMessage(1503, LogLevel.Information, "Took {KeyCount} keys of issuer {Issuer}")]
    public static partial void IssuerKeysTaken(this ILogger logger, int keyCount, string issuer);

    [LoggerMessage(1504, LogLevel.Warning, "The keys of issuer {Issuer} cannot be fetched, keeping the {KeyCount} there are: {Reason}")]
    public static partial void IssuerKeysKept(this ILogger logger, string issuer, int keyCount, string reason);
}
