namespace OpenPlatform.Gateway.Instances;

internal static partial class InstanceLog   // event ids 1200-1249
{
    [LoggerMessage(1201, LogLevel.Information, "Backend {Backend} has {InstanceCount} ready instances")]
    public static partial void InstancesChanged(this ILogger logger, string backend, int instanceCount);

    [LoggerMessage(1202, LogLevel.Warning, "The instance view could not be written to the state directory")]
    public static partial void InstancesNotKept(this ILogger logger, Exception exception);

    [LoggerMessage(1203, LogLevel.Error, "The instance view in the state directory is damaged and was not used: {Damage}")]
    public static partial void InstanceFileDamaged(this ILogger logger, string damage);

    [LoggerMessage(1204, LogLevel.Warning, "The lease registry cannot be read, keeping the last view: {Reason}")]
    public static partial void RegistryAway(this ILogger logger, string reason);

    [LoggerMessage(1205, LogLevel.Information, "The lease registry answers again")]
    public static partial void RegistryBack(this ILogger logger);

    [LoggerMessage(1206, LogLevel.Error, "The instance file of service {Service} was not used, keeping the last view: {Problem}")]
    public static partial void InstanceFileRefused(this ILogger logger, string service, string problem);

    [LoggerMessage(1207, LogLevel.Warning, "DNS does not answer for {Name}, keeping the last view: {Reason}")]
    public static partial void DnsAway(this ILogger logger, string name, string reason);

    [LoggerMessage(1208, LogLevel.Information, "DNS answers for {Name} again")]
    public static partial void DnsAnswersAgain(this ILogger logger, string name);
}
