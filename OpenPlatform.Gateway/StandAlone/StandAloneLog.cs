namespace OpenPlatform.Gateway.StandAlone;

internal static partial class StandAloneLog   // event ids 1900-1999
{
    [LoggerMessage(1901, LogLevel.Error, "Refused: {Problem}")]
    public static partial void FileRefused(this ILogger logger, string problem);
}
