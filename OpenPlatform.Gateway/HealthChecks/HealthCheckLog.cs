namespace OpenPlatform.Gateway.HealthChecks;

internal static partial class HealthCheckLog   // event ids 1250-1299
{
    [LoggerMessage(1250, LogLevel.Warning, "Instance {Instance} of backend {Backend} is ejected: {Reason}")]
    public static partial void InstanceEjected(this ILogger logger, string instance, string backend, EjectionReason reason);

    [LoggerMessage(1251, LogLevel.Information, "Instance {Instance} of backend {Backend} is in rotation again")]
    public static partial void InstanceBack(this ILogger logger, string instance, string backend);

    [LoggerMessage(1252, LogLevel.Debug, "Probe of instance {Instance} of backend {Backend}: {Result}")]
    public static partial void Probed(this ILogger logger, string instance, string backend, ProbeResult result);
}
