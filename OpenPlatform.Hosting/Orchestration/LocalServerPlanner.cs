using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>A container resource that runs as a plain process, on its public port and without a proxy before it.</summary>
internal sealed class LocalServerPlanner(OrchestrationContext run, ILocalServer server, DataFolders folders) : ILaunchPlanner
{
    public bool RestartsAfterCrash => true;

    public async Task<Launch> PlanAsync(RunningResource owner, Replica replica, CancellationToken ct)
    {
        if (owner.Endpoints is not [var endpoint, ..])
        {
            throw new InvalidOperationException($"Resource '{owner.Resource.Name}' runs as a process and needs an endpoint to listen on.");
        }

        var process = await server.PrepareAsync(
            new(owner.Resource, endpoint.PublicPort, folders.For(owner.Resource, keep: true), text => replica.Show(text, KnownResourceStateStyles.Info)), ct);
        replica.Show(KnownResourceStates.Starting);
        OrchestrationLog.Tell(replica.Logger, $"Running as a process: {process.Description}");
        DcpEnvironmentVariable[] environment = [.. process.Environment.Select(v => new DcpEnvironmentVariable(v.Key, v.Value))];
        var executable = new DcpExecutable
        {
            Metadata = new LaunchValues(run, owner, replica, new Dictionary<string, int>(StringComparer.Ordinal)).Metadata(),
            Spec = new()
            {
                ExecutablePath = process.FileName,
                WorkingDirectory = process.WorkingDirectory,
                Args = [.. process.Arguments.Select(LaunchValues.Escape)],
                Env = [.. environment.Select(v => v with { Value = LaunchValues.Escape(v.Value ?? "") })],
            },
        };
        // That it listens is asked here (a crash before that is no success); whether it works is asked by its own health check.
        var probe = new ReadinessProbe(null, new UriBuilder("tcp", "127.0.0.1", endpoint.PublicPort).Uri, 0);
        return new(new Workload<DcpExecutable>(run.Dcp, executable, environment), process.FileName, process.WorkingDirectory, process.Arguments,
            new Dictionary<string, int>(StringComparer.Ordinal), [probe]);
    }
}
