using System.Net.Sockets;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>Gives every endpoint its address, before anything starts: references to it can be resolved then.</summary>
internal static class EndpointAllocation
{
    private static readonly TimeSpan PortLimit = TimeSpan.FromMinutes(1);

    /// <summary>How each endpoint of a resource is served.</summary>
    /// <param name="proxyless">The process itself owns the public port, as a local server does.</param>
    public static IReadOnlyList<ServedEndpoint> Serve(OrchestrationContext run, IResource resource, bool proxyless)
    {
        EndpointAnnotation[] endpoints = [.. resource.Annotations.OfType<EndpointAnnotation>()];
        return [.. endpoints.Select(e =>
        {
            var service = proxyless || !e.IsProxied ? null : (endpoints.Length > 1 ? $"{resource.Name}-{e.Name}" : resource.Name).ToLowerInvariant();
            // Tests run beside each other: a fixed public port is then a wish, save where the process itself owns it.
            var wanted = run.Options.RandomizePorts && e.IsProxied ? null : e.Port;
            return new ServedEndpoint(e, service) { PublicPort = wanted ?? (service is null ? Ports.Free() : 0) };
        })];
    }

    /// <exception cref="DistributedApplicationException">A fixed port is taken; says for whom, by whom, and what to do.</exception>
    public static void CheckFixedPorts(IEnumerable<RunningResource> resources)
    {
        var wanted = new Dictionary<int, string>();
        foreach (var (resource, endpoint) in resources.SelectMany(r => r.Endpoints.Select(e => (r.Resource, e))))
        {
            if (endpoint.PublicPort == 0 || endpoint.Annotation.Protocol != ProtocolType.Tcp)
            {
                continue;
            }

            var who = $"endpoint '{endpoint.Annotation.Name}' of resource '{resource.Name}'";
            if (!wanted.TryAdd(endpoint.PublicPort, who))
            {
                throw new DistributedApplicationException($"Port {endpoint.PublicPort} is wanted twice: by {wanted[endpoint.PublicPort]} and by {who}. Give one of them another port.");
            }

            if (!Ports.IsFree(endpoint.PublicPort))
            {
                throw new DistributedApplicationException(
                    $"Port {endpoint.PublicPort}, wanted by {who}, is taken by {Ports.DescribeHolder(endpoint.PublicPort)}. " +
                    $"End that process, or give the endpoint another port (WithEndpoint(\"{endpoint.Annotation.Name}\", e => e.Port = …), or applicationUrl in launchSettings.json).");
            }
        }
    }

    /// <summary>Creates a DCP Service per proxied endpoint and tells the model every address.</summary>
    public static async Task AllocateAsync(OrchestrationContext run, IReadOnlyList<RunningResource> resources, CancellationToken ct)
    {
        await Task.WhenAll(resources.SelectMany(r => r.Endpoints).Where(e => e.ServiceName is not null).Select(e => CreateServiceAsync(run, e, ct)));
        foreach (var resource in resources)
        {
            foreach (var endpoint in resource.Endpoints)
            {
                Tell(resource.Resource, endpoint);
            }
        }

        foreach (var resource in resources)
        {
            await ResourceUrls.PrepareAsync(run, resource.Resource, ct);
            await run.Eventing.PublishAsync(new ResourceEndpointsAllocatedEvent(resource.Resource, run.Services), ct);
            resource.Replicas.ForEach(r => r.Publish());
        }

        await run.Eventing.PublishAsync(new AfterEndpointsAllocatedEvent(run.Services, run.Model), ct);
    }

    private static async Task CreateServiceAsync(OrchestrationContext run, ServedEndpoint endpoint, CancellationToken ct)
    {
        var host = endpoint.Annotation.TargetHost;
        await run.Dcp.CreateAsync(new DcpService
        {
            Metadata = new() { Name = endpoint.ServiceName! },
            Spec = new()
            {
                Protocol = endpoint.Annotation.Protocol == ProtocolType.Udp ? "UDP" : "TCP",
                Port = endpoint.PublicPort == 0 ? null : endpoint.PublicPort,
                AddressAllocationMode = host is "localhost" or "" ? "Localhost" : null,
                Address = host is "localhost" or "" ? null : host,
            },
        }, ct);

        var start = run.Time.GetTimestamp();
        while (true)
        {
            if (await run.Dcp.GetAsync<DcpService>(endpoint.ServiceName!, ct) is { Status.EffectivePort: > 0 and var port })
            {
                endpoint.PublicPort = port;
                return;
            }

            if (run.Time.GetElapsedTime(start) > PortLimit)
            {
                throw new DistributedApplicationException($"The orchestrator gave service '{endpoint.ServiceName}' no port within {PortLimit.TotalSeconds:0} s (wanted: {host}:{endpoint.PublicPort}).");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), ct);
        }
    }

    private static void Tell(IResource resource, ServedEndpoint endpoint)
    {
        var annotation = endpoint.Annotation;
        var host = annotation.TargetHost is "0.0.0.0" or "::" or "*" or "+" or "" ? "localhost" : annotation.TargetHost;
        annotation.AllocatedEndpoint = new(annotation, host, endpoint.PublicPort, EndpointBindingMode.SingleAddress,
            endpoint.ServiceName is null ? endpoint.PublicPort.ToString() : endpoint.PortMarker);
        // From inside a container: other containers by name and target port, processes of this machine by the engine's name for it.
        var inContainers = KnownNetworkIdentifiers.DefaultAspireContainerNetwork;
        annotation.AllAllocatedEndpoints.AddOrUpdateAllocatedEndpoint(inContainers, resource.IsContainer() && endpoint.ServiceName is not null
            ? new(annotation, resource.Name, annotation.TargetPort ?? endpoint.PublicPort, EndpointBindingMode.SingleAddress, null, inContainers)
            : new(annotation, "host.docker.internal", endpoint.PublicPort, EndpointBindingMode.SingleAddress, null, inContainers));
    }
}
