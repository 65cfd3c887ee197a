using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Publishing;

/// <summary>The application as every target deploys it: no address, no platform's word, no secret's value.</summary>
/// <param name="Name">Lower-case letters, digits and hyphens, such as <c>openplatform</c>.</param>
/// <param name="Version">Of the AppHost, without build metadata: <c>0.1.0</c>.</param>
/// <param name="Services">What runs, in the order of the AppHost.</param>
/// <param name="Parameters">Those that a service uses, in the order of their first use.</param>
/// <param name="Flows">Who calls whom; everything else may be closed.</param>
internal sealed record DeploymentModel(
    string Name, string Version, IReadOnlyList<ServiceModel> Services, IReadOnlyList<ParameterModel> Parameters, IReadOnlyList<FlowModel> Flows)
{
    public IEnumerable<ParameterModel> Secrets => Parameters.Where(p => p.Secret);

    public ServiceModel Service(string name) => Services.First(s => s.Name == name);
}

internal enum ServiceKind
{
    Project,
    Container,
    Postgres,
    Redis,
}

/// <summary>One service: an image, what it is given, and how many of it run.</summary>
internal sealed record ServiceModel
{
    public required IResource Resource { get; init; }
    public required ServiceKind Kind { get; init; }
    public required ImageModel Image { get; init; }
    public string Name => Resource.Name.ToLowerInvariant();

    /// <summary>Program in place of the image's own, or null.</summary>
    public string? Entrypoint { get; init; }
    public IReadOnlyList<ValueModel> Arguments { get; init; } = [];

    /// <summary>Sorted by name.</summary>
    public IReadOnlyList<VariableModel> Environment { get; init; } = [];
    public IReadOnlyList<EndpointModel> Endpoints { get; init; } = [];
    public IReadOnlyList<VolumeModel> Volumes { get; init; } = [];

    /// <summary>As many as <see cref="Autoscale"/> begins with, where there is one.</summary>
    public required int Replicas { get; init; }
    public AutoscaleModel? Autoscale { get; init; }
    public required ResourcesModel Resources { get; init; }
    public ProbesModel? Probes { get; init; }

    /// <summary>Longest time from SIGTERM to the end of the process.</summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(31);

    /// <summary>Arguments with which the image migrates its database and ends, to be run before a rollout; null: nothing to migrate.</summary>
    public IReadOnlyList<string>? Migrations { get; init; }

    /// <summary>Callers choose among the instances themselves, so they need the address of each.</summary>
    public bool HasAddressableInstances { get; init; }

    /// <summary>Variable with which an instance makes its own address known; left out where others cannot reach it there. Null: there is none.</summary>
    public string? Registration { get; init; }

    /// <summary>Beginning of the variables (<c>…__0</c>) that name the proxies in front; null: it does not ask.</summary>
    public string? ProxyNetworks { get; init; }

    /// <summary>Calls addresses that the model does not know: backends of APIs, issuers, webhooks.</summary>
    public bool CallsOutside { get; init; }

    /// <summary>Services that should be there first; nothing may depend on it.</summary>
    public IReadOnlyList<string> WaitsFor { get; init; } = [];

    /// <summary>Of a Postgres server: the databases it must have.</summary>
    public IReadOnlyList<DatabaseModel> Databases { get; init; } = [];

    /// <summary>It keeps state that must outlive an instance, so instances have an identity.</summary>
    public bool IsStateful => Volumes.Any(v => !v.IsScratch);
    public bool IsExternal => Endpoints.Any(e => e.IsExternal);
}

/// <param name="Repository">With its registry: <c>docker.io/library/redis</c>.</param>
/// <param name="Digest"><c>sha256:…</c> or null.</param>
/// <param name="Project">Path of the project that it is built from; null: somebody else's image.</param>
internal sealed record ImageModel(string Repository, string Tag, string? Digest = null, string? Project = null)
{
    public string Reference => Digest is null ? $"{Repository}:{Tag}" : $"{Repository}@{Digest}";
}

internal sealed record VariableModel(string Name, ValueModel Value);

/// <param name="Port">Where the container listens. Callers inside use the same, so that addresses of instances and of the service agree.</param>
/// <param name="OperatorPort">On one machine: port of its loopback at which operators reach it.</param>
internal sealed record EndpointModel(string Name, string Scheme, string Transport, int Port, bool IsExternal, int? OperatorPort = null);

/// <param name="Name">Unique within the service: <c>data</c>.</param>
/// <param name="SizeGiB">At the start.</param>
/// <param name="IsScratch">May be lost with the instance.</param>
internal sealed record VolumeModel(string Name, string Path, int SizeGiB, bool IsReadOnly = false, bool IsScratch = false);

/// <param name="CpuPercent">Of the requested CPU, at which another instance is added.</param>
/// <param name="InFlightPerCore">Requests in flight for each requested core, at which another is added; null: CPU alone decides.</param>
internal sealed record AutoscaleModel(int Min, int Max, int CpuPercent, int? InFlightPerCore);

/// <param name="Cpu">Cores that are set aside; more may be used when they are free.</param>
/// <param name="MemoryMiB">Set aside, and the limit.</param>
internal sealed record ResourcesModel(double Cpu, int MemoryMiB);

internal sealed record ProbesModel(ProbeModel Startup, ProbeModel Readiness, ProbeModel Liveness);

/// <summary>A GET (<paramref name="Path"/> at <paramref name="Port"/>), or a command inside the container.</summary>
internal sealed record ProbeModel(int Port, string? Path, IReadOnlyList<string>? Command = null);

/// <param name="CreationScript">Null: <c>CREATE DATABASE</c>.</param>
internal sealed record DatabaseModel(string Name, string? CreationScript);

/// <param name="Value">Of one that is not secret and has one here; a secret's is never read.</param>
/// <param name="Secret">Given where it is deployed: secrets, and what is generated.</param>
/// <param name="Length">Characters of one that is generated; null: whoever deploys knows it.</param>
internal sealed record ParameterModel(string Name, bool Secret, string? Value, string? Description, int? Length = null);

/// <param name="Ports">Sorted; those of <paramref name="To"/>.</param>
internal sealed record FlowModel(string From, string To, IReadOnlyList<int> Ports);
