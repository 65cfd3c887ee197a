using Microsoft.Extensions.Logging;

namespace OpenPlatform.Hosting.Dashboard;

internal static partial class DashboardLog
{
    [LoggerMessage(EventId = 0, Level = LogLevel.Information, Message = "Now listening on: {DashboardUrl}")]
    internal static partial void Listening(ILogger logger, string dashboardUrl);

    // dotnet watch and IDEs look for this text to open a browser.
    [LoggerMessage(EventId = 0, EventName = "Login", Level = LogLevel.Information, Message = "Login to the dashboard at {LoginUrl}")]
    internal static partial void Login(ILogger logger, string loginUrl);

    [LoggerMessage(Level = LogLevel.Error, Message = "The dashboard did not get an answer to {Call}")]
    internal static partial void CallFailed(ILogger logger, string call, Exception error);

    [LoggerMessage(Level = LogLevel.Error, Message = "The dashboard shows '{ResourceId}' without details")]
    internal static partial void NotShown(ILogger logger, string resourceId, Exception error);

    [LoggerMessage(Message = "{Message}")]
    internal static partial void Forwarded(ILogger logger, LogLevel level, string message);
}
