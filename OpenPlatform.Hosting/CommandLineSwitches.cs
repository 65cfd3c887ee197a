namespace OpenPlatform.Hosting;

/// <summary>The switches that a person or the Aspire tools give an AppHost, and the configuration keys they mean.</summary>
internal static class CommandLineSwitches
{
    private static readonly Dictionary<string, string> Keys = new(StringComparer.OrdinalIgnoreCase)
    {
        ["--operation"] = "AppHost:Operation",
        ["--publisher"] = "Publishing:Publisher",
        ["--step"] = "Pipeline:Step",
        ["--output-path"] = "Pipeline:OutputPath",
        ["--environment-name"] = "Publishing:EnvironmentName",
        ["--image-registry"] = "Publishing:ImageRegistry",
        ["--image-tag"] = "Publishing:ImageTag",
        ["--image-base"] = "Publishing:ImageBase",
        ["--image-archive"] = "Publishing:ImageArchive",
        ["--image-architectures"] = "Publishing:ImageArchitectures",
        ["--log-level"] = "Pipeline:LogLevel",
        ["--include-exception-details"] = "Pipeline:IncludeExceptionDetails",
        ["--clear-cache"] = "Pipeline:ClearCache",
        ["--yes"] = "Pipeline:SkipConfirmation",
        ["--dcp-cli-path"] = "DcpPublisher:CliPath",
        ["--dcp-container-runtime"] = "DcpPublisher:ContainerRuntime",
        ["--dcp-dependency-check-timeout"] = "DcpPublisher:DependencyCheckTimeout",
        ["--dcp-dashboard-path"] = "DcpPublisher:DashboardPath",
    };

    /// <summary>The same arguments with configuration keys instead of switches; <c>--k v</c> and <c>--k=v</c> both work.</summary>
    internal static string[] Map(IEnumerable<string> args) => [.. args.Select(arg =>
    {
        var equals = arg.IndexOf('=', StringComparison.Ordinal);
        var name = equals < 0 ? arg : arg[..equals];
        return Keys.TryGetValue(name, out var key) ? $"--{key}{(equals < 0 ? "" : arg[equals..])}" : arg;
    })];
}
