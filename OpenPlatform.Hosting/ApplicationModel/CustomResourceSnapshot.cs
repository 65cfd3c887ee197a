using System.Collections.Immutable;
using System.Diagnostics;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>What is known about one running instance at one moment: the dashboard shows it, waits are decided on it.</summary>
[DebuggerDisplay("{ResourceType,nq} {State?.Text,nq} {HealthStatus}")]
public sealed record CustomResourceSnapshot
{
    private readonly ImmutableArray<HealthReportSnapshot> _healthReports = [];
    private readonly ResourceStateSnapshot? _state;

    internal long Version { get; init; }
    public required string ResourceType { get; init; }
    public required ImmutableArray<ResourcePropertySnapshot> Properties { get; init; }
    public DateTime? CreationTimeStamp { get; init; }
    public DateTime? StartTimeStamp { get; init; }
    public DateTime? StopTimeStamp { get; init; }

    public ResourceStateSnapshot? State
    {
        get => _state;
        init
        {
            _state = value;
            HealthStatus = OverallHealth();
        }
    }

    public int? ExitCode { get; init; }

    /// <summary>Set once the resource is ready; its task ends when all subscribers of <see cref="ApplicationModel.ResourceReadyEvent"/> have run.</summary>
    internal EventSnapshot? ResourceReadyEvent { get; init; }

    /// <summary>Null unless running; running without checks is healthy; a check that has not answered yet counts as unhealthy.</summary>
    public HealthStatus? HealthStatus { get; private set; }

    public ImmutableArray<HealthReportSnapshot> HealthReports
    {
        get => _healthReports;
        internal init
        {
            _healthReports = value;
            HealthStatus = OverallHealth();
        }
    }

    public ImmutableArray<EnvironmentVariableSnapshot> EnvironmentVariables { get; init; } = [];
    public ImmutableArray<UrlSnapshot> Urls { get; init; } = [];
    public ImmutableArray<VolumeSnapshot> Volumes { get; init; } = [];
    public ImmutableArray<ResourceCommandSnapshot> Commands { get; init; } = [];
    public ImmutableArray<RelationshipSnapshot> Relationships { get; init; } = [];
    public bool IsHidden { get; init; }
    internal bool SupportsDetailedTelemetry { get; init; }
    public string? IconName { get; init; }
    public IconVariant? IconVariant { get; init; }

    private HealthStatus? OverallHealth() =>
        _state?.Text != KnownResourceStates.Running ? null
        : _healthReports.IsEmpty ? Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy
        : _healthReports.Min(r => r.Status ?? Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Unhealthy);
}

internal sealed record EventSnapshot(Task EventTask);

public sealed record ResourceStateSnapshot(string Text, string? Style)
{
    public static implicit operator ResourceStateSnapshot?(string? text) => text is null ? null : new(text, Style: null);
}

public sealed record EnvironmentVariableSnapshot(string Name, string? Value, bool IsFromSpec);

public sealed record UrlSnapshot(string? Name, string Url, bool IsInternal)
{
    public UrlDisplayPropertiesSnapshot DisplayProperties { get; init; } = new();
    public bool IsInactive { get; init; }
}

public sealed record UrlDisplayPropertiesSnapshot(string DisplayName = "", int SortOrder = 0);

public sealed record VolumeSnapshot(string? Source, string Target, string MountType, bool IsReadOnly);

public sealed record RelationshipSnapshot(string ResourceName, string Type);

public sealed record ResourcePropertySnapshot(string Name, object? Value)
{
    public string? DisplayName { get; init; }
    public bool IsSensitive { get; init; }
    public bool IsHighlighted { get; init; }
    public int? SortOrder { get; init; }
}

public sealed record ResourceCommandSnapshot(string Name, ResourceCommandState State, string DisplayName, string? DisplayDescription, object? Parameter,
    string? ConfirmationMessage, string? IconName, IconVariant? IconVariant, bool IsHighlighted);

public sealed record HealthReportSnapshot(string Name, HealthStatus? Status, string? Description, string? ExceptionText)
{
    public DateTime? LastRunAt { get; init; }
}

public enum ResourceCommandState
{
    Enabled,
    Disabled,
    Hidden,
}

public static class KnownResourceStateStyles
{
    public static readonly string Success = "success";
    public static readonly string Error = "error";
    public static readonly string Info = "info";
    public static readonly string Warn = "warning";
}

public static class KnownResourceStates
{
    public static readonly string Starting = nameof(Starting);
    public static readonly string Running = nameof(Running);
    public static readonly string FailedToStart = nameof(FailedToStart);
    public static readonly string RuntimeUnhealthy = nameof(RuntimeUnhealthy);
    public static readonly string Stopping = nameof(Stopping);
    public static readonly string Exited = nameof(Exited);
    public static readonly string Finished = nameof(Finished);
    public static readonly string Waiting = nameof(Waiting);
    public static readonly string NotStarted = nameof(NotStarted);
    public static readonly string Building = nameof(Building);
    public static readonly string ValueMissing = nameof(ValueMissing);
    public static readonly string Active = nameof(Active);
    public static readonly IReadOnlyList<string> TerminalStates = [Finished, FailedToStart, Exited];
}

/// <summary>Names of snapshot properties that the dashboard knows.</summary>
internal static class KnownProperties
{
    internal const string Source = "resource.source", ConnectionString = "resource.connectionString", ExitCode = "resource.exitCode", ParentName = "resource.parentName",
        AppArgs = "resource.appArgs", AppArgsSensitivity = "resource.appArgsSensitivity", WaitingFor = "resource.waitingFor", StateReason = "resource.stateReason",
        ProjectPath = "project.path", LaunchProfile = "project.launchProfile",
        ExecutablePath = "executable.path", ExecutableWorkDir = "executable.workDir", ExecutableArgs = "executable.args", ExecutablePid = "executable.pid",
        ContainerImage = "container.image", ContainerId = "container.id", ContainerCommand = "container.command", ContainerArgs = "container.args",
        ContainerPorts = "container.ports", ContainerLifetime = "container.lifetime",
        ParameterValue = "Value";
}

internal static class ResourcePropertySnapshotExtensions
{
    /// <summary>The properties with this one set; null takes it away.</summary>
    internal static ImmutableArray<ResourcePropertySnapshot> Set(this ImmutableArray<ResourcePropertySnapshot> properties, string name, object? value, bool sensitive = false)
    {
        var others = properties.RemoveAll(p => p.Name == name);
        return value is null ? others : others.Add(new(name, value) { IsSensitive = sensitive });
    }
}
