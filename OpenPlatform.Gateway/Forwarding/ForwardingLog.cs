using Yarp.ReverseProxy.Forwarder;

namespace OpenPlatform.Gateway.Forwarding;

// YARP's own messages are off (appsettings.json): it warns, with a stack, of every client that leaves.
internal static partial class ForwardingLog   // event ids 1400-1499
{
    [LoggerMessage(1401, LogLevel.Warning, "Instance {Instance} of backend {Backend} cannot be connected to and gets no requests for now: {Reason}")]
    public static partial void InstanceEjected(this ILogger logger, string instance, string backend, string reason);

    [LoggerMessage(1402, LogLevel.Information, "Instance {Instance} of backend {Backend} answers again")]
    public static partial void InstanceBack(this ILogger logger, string instance, string backend);

    [LoggerMessage(1403, LogLevel.Debug, "Try {Attempt} at instance {Instance} of backend {Backend} ended with {Error}: {Reason}")]
    public static partial void TryFailed(this ILogger logger, int attempt, string instance, string backend, ForwarderError error, string reason);
}
