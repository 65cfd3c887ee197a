using Microsoft.Extensions.Logging;

namespace OpenPlatform.Hosting.Orchestration;

internal static partial class OrchestrationLog
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "{Reason}")]
    public static partial void Restarting(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Reason}")]
    public static partial void Ended(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Out of traffic: {Reason}")]
    public static partial void OutOfTraffic(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The orchestrator did not take a change of traffic; trying again")]
    public static partial void TrafficChangeFailed(ILogger logger, Exception error);

    [LoggerMessage(Level = LogLevel.Error, Message = "Could not be started: {Reason}")]
    public static partial void NotStarted(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Text}")]
    public static partial void Tell(ILogger logger, string text);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The orchestrator is gone; the application ends.")]
    public static partial void OrchestratorGone(ILogger logger);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Stopping in order did not finish in time; everything is stopped at once.")]
    public static partial void OrderlyStopGivenUp(ILogger logger, Exception error);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The orchestrator did not confirm its end")]
    public static partial void EndUnconfirmed(ILogger logger, Exception error);
}
