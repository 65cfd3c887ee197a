using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>A container under the engine that DCP found. DCP itself puts it behind its services: its ports are the engine's affair.</summary>
internal sealed class ContainerPlanner(OrchestrationContext run) : ILaunchPlanner
{
    private const string NetworkName = "openplatform-network";

    public bool RestartsAfterCrash => false;   // a new container would have lost what the old one held

    /// <summary>One network per application, so that two of them never see each other's containers.</summary>
    public static DcpContainerNetwork Network(HostingOptions options) =>
        new() { Metadata = new() { Name = NetworkName }, Spec = new($"{NetworkName}-{options.ApplicationId}-{Environment.ProcessId}") };

    public async Task<Launch> PlanAsync(RunningResource owner, Replica replica, CancellationToken ct)
    {
        var resource = owner.Resource;
        if (!resource.TryGetContainerImageName(out var image))
        {
            throw new DistributedApplicationException($"Container '{resource.Name}' has no image.");
        }

        ServedEndpoint[] served = [.. owner.Endpoints.Where(e => e.Annotation.TargetPort is not null)];
        var values = new LaunchValues(run, owner, replica, new Dictionary<string, int>(StringComparer.Ordinal), inContainer: true);
        var environment = await values.EnvironmentAsync(ct);
        var args = await values.ArgumentsAsync(ct);
        var runtimeArgs = new ContainerRuntimeArgsCallbackContext([], ct);
        foreach (var annotation in resource.Annotations.OfType<ContainerRuntimeArgsCallbackAnnotation>().ToArray())
        {
            await annotation.Callback(runtimeArgs);
        }

        ServiceProducer[] producers = [.. served.Where(e => e.ServiceName is not null).Select(e => new ServiceProducer(e.ServiceName!, e.Annotation.TargetPort!.Value))];
        resource.TryGetLastAnnotation<ContainerNameAnnotation>(out var name);
        resource.TryGetLastAnnotation<ContainerLifetimeAnnotation>(out var lifetime);
        var container = new DcpContainer
        {
            Metadata = values.Metadata(new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["service-producer"] = JsonSerializer.Serialize(producers, DcpJson.Default.ServiceProducerArray),
            }),
            Spec = new()
            {
                Image = image,
                ContainerName = name?.Name,
                Command = (resource as ContainerResource)?.Entrypoint,
                Args = [.. args.Select(LaunchValues.Escape)],
                Env = [.. environment.Select(v => v with { Value = LaunchValues.Escape(v.Value ?? "") })],
                Ports = [.. served.Select(e => new DcpContainerPort(e.Annotation.TargetPort!.Value, e.ServiceName is null ? e.PublicPort : null))],
                // Temporary data lives and dies with the container's own layer.
                VolumeMounts = [.. resource.Annotations.OfType<ContainerMountAnnotation>()
                    .Where(m => m.Type == ContainerMountType.BindMount || !run.Options.TemporaryData)
                    .Select(m => new DcpVolumeMount(m.Type == ContainerMountType.BindMount ? "bind" : "volume", m.Source, m.Target, m.IsReadOnly))],
                Networks = [new(NetworkName, [resource.Name])],
                RunArgs = await values.ResolveAllAsync(runtimeArgs.Args, ct),
                Persistent = lifetime?.Lifetime == ContainerLifetime.Persistent ? true : null,
            },
        };
        return new(new Workload<DcpContainer>(run.Dcp, container, environment), image, null, args, new Dictionary<string, int>(StringComparer.Ordinal), []);
    }
}

/// <summary>DCP's annotation <c>service-producer</c>: this port of the container stands behind that service.</summary>
internal sealed record ServiceProducer(string ServiceName, int Port);
