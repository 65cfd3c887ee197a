using System.Globalization;
using Aspire.Hosting;
using OpenPlatform.Hosting.Publishing.Azure.Bicep;
using static OpenPlatform.Hosting.Publishing.Azure.Bicep.BicepValue;

namespace OpenPlatform.Hosting.Publishing.Azure;

/// <summary>One service as a container app in a file of its own, which azd deploys together with its image: one revision for both.</summary>
internal sealed class ContainerApp(AzureValues values, ServiceModel service)
{
    internal const string Profile = "Consumption";

    /// <summary>Replicas of a workload profile see the environment's proxies in this reserved range, besides the subnet of the environment.</summary>
    private const string PlatformNetwork = "100.100.0.0/16";

    /// <summary>From the end of the drain to the end of patience.</summary>
    private const int Margin = 9;

    // What the platform bounds.
    private const int MostFailures = 10, LongestName = 32;
    private const double CoreStep = 0.25, MostCores = 4;

    /// <summary>
    /// The platform's "concurrent requests" are those that came within 15 seconds, divided by 15: a rate. One that is in flight for a twentieth of a second is twenty a
    /// second; without this the gateway would run ten times as many instances as it needs (docs/operations/scale.md).
    /// </summary>
    private const int RequestsPerSecondInFlight = 20;

    private const string ProxyNetwork = "proxyNetwork", VaultUri = "vaultUri", RegistryServer = "registryServer";

    private bool IsBuilt => service.Image.Project is not null;

    /// <summary>Parameters of the file, and azd's variable that fills each.</summary>
    public IEnumerable<(BicepParameter Parameter, string Variable)> Parameters() => Parameters(service.Name, values.Variables(service),
        service.ProxyNetworks is null ? [] : [(new(ProxyNetwork, "string", "Network of the proxies in front."), "AZURE_APPS_NETWORK")]);

    /// <inheritdoc cref="Parameters()"/>
    public IEnumerable<(BicepParameter Parameter, string Variable)> MigrationParameters() => Parameters(AzureNames.Migrations(service), values.ToDatabases(service), []);

    private IEnumerable<(BicepParameter Parameter, string Variable)> Parameters(string name, IEnumerable<AppVariable> variables, IEnumerable<(BicepParameter Parameter, string Variable)> further)
    {
        yield return (new("environmentName", "string", "Name of azd's environment."), "AZURE_ENV_NAME");
        yield return (new("location", "string", "Region."), "AZURE_LOCATION");
        yield return (new("containerAppsEnvironmentName", "string", "The environment that it runs in."), "AZURE_CONTAINER_APPS_ENVIRONMENT_NAME");
        yield return (new("identityId", "string", "The identity that pulls its image and reads its secrets, and nothing else."), $"SERVICE_{AzureNames.Variable(service.Name)}_IDENTITY_ID");
        if (IsBuilt)
        {
            yield return (new(RegistryServer, "string", "The registry of its image."), "AZURE_CONTAINER_REGISTRY_ENDPOINT");
            yield return (new("imageName", "string", "Its image, with registry and tag."), $"SERVICE_{AzureNames.Variable(name)}_IMAGE_NAME");
        }

        if (variables.Any(static v => v.Secret is not null))
        {
            yield return (new(VaultUri, "string", "The vault of its secrets, ending with a slash."), "AZURE_KEY_VAULT_ENDPOINT");
        }

        foreach (var one in further)
        {
            yield return one;
        }
    }

    public BicepFile File()
    {
        if (service.Name.Length > LongestName || service.Name.Contains("--", StringComparison.Ordinal) || AzureNames.Migrations(service).Length > LongestName && service.Migrations is not null)
        {
            throw new DistributedApplicationException($"'{service.Name}' cannot be the name of a container app: at most {LongestName} characters ({LongestName - "-migrations".Length} with migrations), no two hyphens in a row.");
        }

        return new($"{service.Name}: its container app.")
        {
            Parameters().Select(static p => p.Parameter),
            Host(),
            App(),
            service.IsExternal ? new BicepOutput($"SERVICE_{AzureNames.Variable(service.Name)}_URI", "string", Text("https://", Symbol("app.properties.configuration.ingress.fqdn")), "Where it answers.") : null,
        };
    }

    /// <summary>
    /// The order "first the database, then the instances" is the init container's: no instance of a new revision starts before it has ended well. The job is for
    /// whoever wants to migrate, or to see why it failed, without a rollout. It is in a file of its own, because azd looks for one host in each.
    /// </summary>
    public BicepFile MigrationFile() => new($"{AzureNames.Migrations(service)}: a job that migrates the database of {service.Name} when somebody starts it. A rollout does so by itself.")
    {
        MigrationParameters().Select(static p => p.Parameter),
        Host(),
        Migrations(),
    };

    private static BicepResource Host() => new("environment", AzureTypes.Environment, new() { ["name"] = Symbol("containerAppsEnvironmentName") }, Existing: true);

    private BicepResource App()
    {
        var body = Base(service.Name);
        body["properties"] = new BicepMap
        {
            ["environmentId"] = Symbol("environment.id"),
            ["workloadProfileName"] = Profile,
            ["configuration"] = new BicepMap
            {
                // The next revision gets the traffic when it is ready; until then the one before keeps it.
                ["activeRevisionsMode"] = "Single",
                ["maxInactiveRevisions"] = 10,
                ["ingress"] = Ingress(),
                ["registries"] = Registries(),
                ["secrets"] = Secrets(values.Variables(service)),
            },
            ["template"] = new BicepMap
            {
                ["terminationGracePeriodSeconds"] = (int)service.Drain.TotalSeconds + Margin,
                ["initContainers"] = service.Migrations is null ? null : new BicepList { MigrationContainer(resources: false) },
                ["containers"] = new BicepList { Container(service.Name, service.Arguments, values.Variables(service)) },
                ["scale"] = Scale(),
                ["volumes"] = service.Volumes.Count == 0 ? null : List(service.Volumes.Select(v => new BicepMap
                {
                    ["name"] = v.Name,
                    ["storageType"] = IsShared(service, v) ? "AzureFile" : "EmptyDir",
                    ["storageName"] = IsShared(service, v) ? AzureNames.Storage(service, v) : null,
                })),
            },
        };
        return new("app", AzureTypes.App, body);
    }

    private BicepResource Migrations()
    {
        var body = Base(AzureNames.Migrations(service));
        body["properties"] = new BicepMap
        {
            ["environmentId"] = Symbol("environment.id"),
            ["workloadProfileName"] = Profile,
            ["configuration"] = new BicepMap
            {
                ["triggerType"] = "Manual",
                ["replicaTimeout"] = 3600,
                ["replicaRetryLimit"] = 1,
                ["manualTriggerConfig"] = new BicepMap { ["parallelism"] = 1, ["replicaCompletionCount"] = 1 },
                ["registries"] = Registries(),
                ["secrets"] = Secrets(values.ToDatabases(service)),
            },
            ["template"] = new BicepMap { ["containers"] = new BicepList { MigrationContainer(resources: true) } },
        };
        return new("job", AzureTypes.Job, body);
    }

    /// <summary>A volume that outlives an instance is a share of files. The state of a project is not: see docs/deploy.md.</summary>
    internal static bool IsShared(ServiceModel service, VolumeModel volume) => service.Kind == ServiceKind.Container && !volume.IsScratch;

    private BicepMap Base(string name) => new()
    {
        ["name"] = name,
        ["location"] = Symbol("location"),
        ["tags"] = new BicepMap { ["azd-env-name"] = Symbol("environmentName"), ["azd-service-name"] = IsBuilt ? name : null },
        ["identity"] = new BicepMap { ["type"] = "UserAssigned", ["userAssignedIdentities"] = BicepMap.Keyed(Symbol("identityId"), new BicepMap()) },
    };

    private BicepMap? Ingress()
    {
        if (!values.IsCalled(service) || AzureValues.MainEndpoint(service) is not { } main)
        {
            return null;
        }

        var others = service.Endpoints.Where(e => e != main).Select(static e => new BicepMap { ["external"] = e.IsExternal, ["targetPort"] = e.Port, ["exposedPort"] = e.Port }).ToArray();
        var tcp = main.Transport == "tcp";
        return new BicepMap
        {
            ["external"] = main.IsExternal,
            ["targetPort"] = main.Port,
            ["exposedPort"] = tcp ? main.Port : null,
            ["transport"] = tcp ? "tcp" : main.Transport == "http2" ? "http2" : "auto",
            // Inside, services call http; the environment encrypts what goes between machines.
            ["allowInsecure"] = tcp ? null : !main.IsExternal,
            ["additionalPortMappings"] = others.Length > 0 ? List(others) : null,
        };
    }

    private BicepList? Registries() => IsBuilt ? [new BicepMap { ["server"] = Symbol(RegistryServer), ["identity"] = Symbol("identityId") }] : null;

    private static BicepList? Secrets(IEnumerable<AppVariable> variables)
    {
        var secrets = List(variables.Select(static v => v.Secret).OfType<string>().Distinct().Select(static s => new BicepMap
        {
            ["name"] = s,
            ["keyVaultUrl"] = Text(Symbol(VaultUri), $"secrets/{s}"),
            ["identity"] = Symbol("identityId"),
        }));
        return secrets.Count > 0 ? secrets : null;
    }

    private BicepMap MigrationContainer(bool resources)
    {
        var container = new BicepMap
        {
            ["name"] = "migrations",
            ["image"] = Image(),
            ["args"] = Texts(service.Migrations!),
            ["env"] = Environment(values.ToDatabases(service)),
            ["resources"] = resources ? Resources() : null,
        };
        return container;
    }

    private BicepMap Container(string name, IReadOnlyList<ValueModel> arguments, IEnumerable<AppVariable> variables)
    {
        var environment = Environment(variables) ?? [];
        if (service.Kind == ServiceKind.Project)
        {
            environment.Add(new BicepMap { ["name"] = "OTEL_SERVICE_NAME", ["value"] = service.Name });
        }

        if (service.ProxyNetworks is { } prefix)
        {
            environment.Add(new BicepMap { ["name"] = $"{prefix}__0", ["value"] = PlatformNetwork });
            environment.Add(new BicepMap { ["name"] = $"{prefix}__1", ["value"] = Symbol(ProxyNetwork) });
        }

        return new BicepMap
        {
            ["name"] = name,
            ["image"] = Image(),
            ["command"] = service.Entrypoint is { } entrypoint ? Texts([entrypoint]) : null,
            ["args"] = arguments.Count > 0 ? List(arguments.Select(Render)) : null,
            ["env"] = environment.Count > 0 ? environment : null,
            ["resources"] = Resources(),
            ["probes"] = Probes(),
            ["volumeMounts"] = service.Volumes.Count == 0 ? null : List(service.Volumes.Select(static v => new BicepMap { ["volumeName"] = v.Name, ["mountPath"] = v.Path })),
        };
    }

    private BicepValue Image() => IsBuilt ? Symbol("imageName") : service.Image.Reference;

    private BicepList? Environment(IEnumerable<AppVariable> variables)
    {
        var environment = List(variables.Select(v => new BicepMap { ["name"] = v.Name, ["value"] = v.Value is null ? null : Render(v.Value), ["secretRef"] = v.Secret }));
        return environment.Count > 0 ? environment : null;
    }

    private BicepValue Render(ValueModel value) => AzureValues.Render(value, values.Address(Symbol("environment.properties.defaultDomain")));

    /// <summary>Cores come in quarters, with two GiB each; the model's figures are rounded up to that.</summary>
    internal static double Cores(ServiceModel service)
    {
        var cores = Math.Ceiling(Math.Max(service.Resources.Cpu, service.Resources.MemoryMiB / 2048.0) / CoreStep) * CoreStep;
        return cores <= MostCores ? cores : throw new DistributedApplicationException($"'{service.Name}' asks for {service.Resources.Cpu} cores and {service.Resources.MemoryMiB} MiB; a container app of the profile {Profile} has at most {MostCores} cores and {MostCores * 2} GiB.");
    }

    private BicepMap Resources()
    {
        var cores = Cores(service);
        return new()
        {
            // Bicep has no fractions of its own.
            ["cpu"] = Call("json", cores.ToString(CultureInfo.InvariantCulture)),
            ["memory"] = string.Create(CultureInfo.InvariantCulture, $"{cores * 2}Gi"),
        };
    }

    private BicepMap Scale()
    {
        var bounds = service.Autoscale;
        var rules = new BicepList();
        if (bounds?.InFlightPerCore is { } inFlight)
        {
            rules.Add(new BicepMap
            {
                ["name"] = "http",
                ["http"] = new BicepMap { ["metadata"] = new BicepMap { ["concurrentRequests"] = Math.Max(1, (int)(inFlight * Cores(service) * RequestsPerSecondInFlight)).ToString(CultureInfo.InvariantCulture) } },
            });
        }

        if (bounds is not null)
        {
            rules.Add(new BicepMap
            {
                ["name"] = "cpu",
                ["custom"] = new BicepMap { ["type"] = "cpu", ["metadata"] = new BicepMap { ["type"] = "Utilization", ["value"] = bounds.CpuPercent.ToString(CultureInfo.InvariantCulture) } },
            });
        }

        return new BicepMap { ["minReplicas"] = bounds?.Min ?? service.Replicas, ["maxReplicas"] = bounds?.Max ?? service.Replicas, ["rules"] = rules.Count > 0 ? rules : null };
    }

    private BicepList? Probes() => service.Probes is not { } probes ? null :
    [
        Probe("Startup", probes.Startup, period: 6, failures: MostFailures),
        Probe("Readiness", probes.Readiness, period: 2, failures: 2),
        Probe("Liveness", probes.Liveness, period: 10, failures: 6),
    ];

    private static BicepMap Probe(string type, ProbeModel probe, int period, int failures) => new()
    {
        ["type"] = type,
        ["httpGet"] = new BicepMap { ["path"] = probe.Path ?? "/", ["port"] = probe.Port },
        ["periodSeconds"] = period,
        ["timeoutSeconds"] = 2,
        ["failureThreshold"] = failures,
    };
}
