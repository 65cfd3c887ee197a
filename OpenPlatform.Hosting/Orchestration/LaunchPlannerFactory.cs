using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>Which way a resource runs here.</summary>
internal sealed class LaunchPlannerFactory(OrchestrationContext run, IContainerRuntime containers, DataFolders folders)
{
    public async Task<ILaunchPlanner> ForAsync(IResource resource, CancellationToken ct)
    {
        if (!resource.IsContainer())
        {
            return new ProcessPlanner(run) { RestartsAfterCrash = resource is ProjectResource };
        }

        resource.TryGetLastAnnotation<LocalServerAnnotation>(out var local);
        return local is { Always: true } || !await containers.IsHealthyAsync(ct)
            ? local is null ? new NoWayPlanner() : new LocalServerPlanner(run, local.Server, folders)
            : new ContainerPlanner(run);
    }

    /// <summary>A container without an engine and without a program that could take its place.</summary>
    private sealed class NoWayPlanner : ILaunchPlanner
    {
        public bool RestartsAfterCrash => false;

        public Task<Launch> PlanAsync(RunningResource owner, Replica replica, CancellationToken ct) => throw new DistributedApplicationException(
            $"Container '{owner.Resource.Name}' needs a container engine, and none is running here. Install and start Docker or Podman, " +
            "or give the application an address instead (a connection string in the configuration).");
    }
}
