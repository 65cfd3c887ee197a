using System.Text.Json;
using System.Text.Json.Serialization;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>One kind of object in DCP's API (group <c>usvc-dev.developer.microsoft.com/v1</c>, cluster-scoped).</summary>
internal interface IDcpKind
{
    /// <summary>The last part of the collection's path, such as <c>executables</c>.</summary>
    static abstract string Plural { get; }
    DcpMetadata Metadata { get; }
}

internal sealed record DcpMetadata
{
    public required string Name { get; init; }
    public string? Uid { get; init; }
    public IReadOnlyDictionary<string, string>? Annotations { get; init; }
    public IReadOnlyList<DcpOwnerReference>? OwnerReferences { get; init; }
}

/// <summary>With it DCP removes the object by itself when its owner stops or goes (20-30 ms later; at most 0.5 s after kill -9).</summary>
internal sealed record DcpOwnerReference(string ApiVersion, string Kind, string Name, string Uid, bool Controller = true, bool BlockOwnerDeletion = true);

internal abstract record DcpObject(string Kind)
{
    public const string GroupVersion = "usvc-dev.developer.microsoft.com/v1";
    [JsonPropertyOrder(-2)]
    public string ApiVersion { get; init; } = GroupVersion;
    [JsonPropertyOrder(-1)]
    public string Kind { get; init; } = Kind;
    public required DcpMetadata Metadata { get; init; }
}

internal sealed record DcpEnvironmentVariable(string Name, string? Value);

internal sealed record DcpExecutable() : DcpObject("Executable"), IDcpKind
{
    public static string Plural => "executables";
    public DcpExecutableSpec? Spec { get; init; }
    public DcpStatus? Status { get; init; }
}

internal sealed record DcpExecutableSpec
{
    /// <summary>Absolute, or a bare name that DCP looks up in PATH.</summary>
    public required string ExecutablePath { get; init; }
    public string? WorkingDirectory { get; init; }
    public IReadOnlyList<string>? Args { get; init; }
    public IReadOnlyList<DcpEnvironmentVariable>? Env { get; init; }
    /// <summary>Patched to true to stop; cannot be unset: a stopped object is deleted and made anew.</summary>
    public bool? Stop { get; init; }
}

/// <summary>What DCP says about an Executable or a Container; fields that one of them lacks stay null.</summary>
internal sealed record DcpStatus
{
    public string? State { get; init; }
    public int? Pid { get; init; }
    public int? ExitCode { get; init; }
    public string? ContainerId { get; init; }
    public string? Message { get; init; }
    public DateTimeOffset? StartupTimestamp { get; init; }
    public DateTimeOffset? FinishTimestamp { get; init; }
    public IReadOnlyList<DcpEnvironmentVariable>? EffectiveEnv { get; init; }
    public IReadOnlyList<string>? EffectiveArgs { get; init; }
}

internal static class DcpStates
{
    public const string Running = nameof(Running);
    public const string Stopping = nameof(Stopping);
    public const string FailedToStart = nameof(FailedToStart);

    /// <summary>A state after which the process will never run again.</summary>
    public static bool IsFinal(string? state) => state is "Finished" or "Terminated" or "Exited" or FailedToStart or "NotFound";
}

internal sealed record DcpService() : DcpObject("Service"), IDcpKind
{
    public static string Plural => "services";
    public required DcpServiceSpec Spec { get; init; }
    public DcpServiceStatus? Status { get; init; }
}

internal sealed record DcpServiceSpec
{
    /// <summary><c>TCP</c> or <c>UDP</c>; without it DCP never gives the service a port and says nothing.</summary>
    public required string Protocol { get; init; }
    public string? Address { get; init; }
    public int? Port { get; init; }
    /// <summary><c>Localhost</c> (default), <c>IPv4ZeroOne</c>, … or <c>Proxyless</c>.</summary>
    public string? AddressAllocationMode { get; init; }
}

internal sealed record DcpServiceStatus
{
    public string? State { get; init; }
    public string? EffectiveAddress { get; init; }
    public int? EffectivePort { get; init; }
}

internal sealed record DcpEndpoint() : DcpObject("Endpoint"), IDcpKind
{
    public static string Plural => "endpoints";
    public required DcpEndpointSpec Spec { get; init; }
}

internal sealed record DcpEndpointSpec(string ServiceName, string Address, int Port, string ServiceNamespace = "");

internal sealed record DcpContainer() : DcpObject("Container"), IDcpKind
{
    public static string Plural => "containers";
    public DcpContainerSpec? Spec { get; init; }
    public DcpStatus? Status { get; init; }
}

internal sealed record DcpContainerSpec
{
    public required string Image { get; init; }
    public string? ContainerName { get; init; }
    public string? Command { get; init; }
    public IReadOnlyList<string>? Args { get; init; }
    public IReadOnlyList<DcpEnvironmentVariable>? Env { get; init; }
    public IReadOnlyList<DcpContainerPort>? Ports { get; init; }
    public IReadOnlyList<DcpVolumeMount>? VolumeMounts { get; init; }
    public IReadOnlyList<DcpContainerNetworkAlias>? Networks { get; init; }
    public IReadOnlyList<string>? RunArgs { get; init; }
    public bool? Persistent { get; init; }
    public bool? Stop { get; init; }
}

internal sealed record DcpContainerPort(int ContainerPort, int? HostPort, string HostIP = "127.0.0.1", string Protocol = "TCP");

/// <param name="Type"><c>volume</c> or <c>bind</c>.</param>
internal sealed record DcpVolumeMount(string Type, string? Source, string Target, bool ReadOnly);

internal sealed record DcpContainerNetworkAlias(string Name, IReadOnlyList<string> Aliases);

internal sealed record DcpContainerNetwork() : DcpObject("ContainerNetwork"), IDcpKind
{
    public static string Plural => "containernetworks";
    public required DcpContainerNetworkSpec Spec { get; init; }
}

internal sealed record DcpContainerNetworkSpec(string NetworkName);

internal sealed record DcpWatchEvent<T>(string Type, T Object);

/// <summary>DCP's own run state: <c>Running → CleaningResources → CleanupComplete → Stopping</c>.</summary>
internal sealed record DcpExecution(string Status, string? ShutdownResourceCleanup = null);

/// <summary>The error object of DCP's API.</summary>
internal sealed record DcpError(string? Message);

internal sealed record DcpPatch(DcpStopSpec Spec)
{
    public static DcpPatch Stop { get; } = new(new DcpStopSpec(Stop: true));
}

internal sealed record DcpStopSpec(bool Stop);

internal sealed record DcpInfo(string? Version, DcpContainersInfo? Containers);

internal sealed record DcpContainersInfo(string? Runtime, bool Installed, bool Running, string? Error);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DcpWatchEvent<DcpExecutable>))]
[JsonSerializable(typeof(DcpWatchEvent<DcpContainer>))]
[JsonSerializable(typeof(DcpService))]
[JsonSerializable(typeof(DcpEndpoint))]
[JsonSerializable(typeof(DcpContainerNetwork))]
[JsonSerializable(typeof(DcpExecution))]
[JsonSerializable(typeof(DcpError))]
[JsonSerializable(typeof(DcpPatch))]
[JsonSerializable(typeof(DcpInfo))]
[JsonSerializable(typeof(ServiceProducer[]))]
internal sealed partial class DcpJson : JsonSerializerContext;
