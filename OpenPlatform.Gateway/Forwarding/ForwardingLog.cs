using Yarp.ReverseProxy.Forwarder;

namespace OpenPlatform.Gateway.Forwarding;

// YARP's own messages are off (Context/LogDefaults.cs): it warns, with a stack, of every client that leaves.
internal static partial class ForwardingLog   // event ids 1400-1499
{
    [LoggerMessage(1410, LogLevel.Warning, "The circuit breaker of API {Api} {Version} is {State}")]
    public static partial void BreakerChanged(this ILogger logger, string api, string version, string state);

    [LoggerMessage(1403, LogLevel.Debug, "Try {Attempt} at instance {Instance} of backend {Backend} ended with {Error}: {Reason}")]
    public static partial void TryFailed(this ILogger logger, int attempt, string instance, string backend, ForwarderError error, string reason);
}
