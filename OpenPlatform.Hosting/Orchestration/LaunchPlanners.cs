using System.Diagnostics;
using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>Decides how one process of a resource is started: program, arguments, environment, ports.</summary>
internal interface ILaunchPlanner
{
    bool RestartsAfterCrash { get; }
    Task<Launch> PlanAsync(RunningResource owner, Replica replica, CancellationToken ct);
}

/// <summary>Projects and plain executables.</summary>
internal sealed class ProcessPlanner(OrchestrationContext run) : ILaunchPlanner
{
    public bool RestartsAfterCrash { get; init; }

    public async Task<Launch> PlanAsync(RunningResource owner, Replica replica, CancellationToken ct)
    {
        // Every process listens on ports chosen here and gets traffic through Endpoints made here once it is ready.
        var ports = owner.Endpoints.Where(e => e.ServiceName is not null).ToDictionary(e => e.ServiceName!, e => e.FixedTargetPort ?? Ports.Free(), StringComparer.Ordinal);
        var values = new LaunchValues(run, owner, replica, ports);
        var environment = await values.EnvironmentAsync(ct);
        var (path, workingDirectory, first) = await ProgramAsync(owner.Resource, ct);
        IReadOnlyList<string> args = [.. first, .. await values.ArgumentsAsync(ct)];
        var executable = new DcpExecutable
        {
            Metadata = values.Metadata(),
            Spec = new() { ExecutablePath = path, WorkingDirectory = workingDirectory, Args = [.. args.Select(LaunchValues.Escape)], Env = [.. environment.Select(v => v with { Value = LaunchValues.Escape(v.Value ?? "") })] },
        };
        return new(new Workload<DcpExecutable>(run.Dcp, executable, environment), path, workingDirectory, args, ports, Probes(owner, ports));
    }

    /// <summary>The health checks somebody asked for; without any, that it listens.</summary>
    private static IReadOnlyList<ReadinessProbe> Probes(RunningResource owner, Dictionary<string, int> ports)
    {
        var address = owner.Endpoints.ToDictionary(e => e.Annotation.Name, e => new UriBuilder(e.IsHttp ? e.Annotation.UriScheme : "tcp", "localhost",
            e.ServiceName is null ? e.PublicPort : ports[e.ServiceName]).Uri, StringComparer.OrdinalIgnoreCase);
        ReadinessProbe[] asked = [.. owner.Resource.Annotations.OfType<HttpHealthCheckAnnotation>()
            .Select(c => new ReadinessProbe(c.Key, new Uri(address[c.Endpoint.EndpointName], c.Path), c.StatusCode))];
        return asked.Length > 0 ? asked : [.. address.Values.Select(a => new ReadinessProbe(null, new UriBuilder("tcp", a.Host, a.Port).Uri, 0))];
    }

    private static async Task<(string Path, string WorkingDirectory, IReadOnlyList<string> First)> ProgramAsync(IResource resource, CancellationToken ct)
    {
        if (resource is ExecutableResource executable)
        {
            return (executable.Command, Path.GetFullPath(executable.WorkingDirectory), []);
        }

        var metadata = ((ProjectResource)resource).GetProjectMetadata();
        var target = metadata is IBuiltProjectMetadata built ? built.TargetPath : await BuiltProjects.TargetPathAsync(metadata.ProjectPath, ct);
        if (!File.Exists(target))
        {
            throw new DistributedApplicationException($"Project '{resource.Name}' is not built: {target} does not exist. Build {metadata.ProjectPath}.");
        }

        // The built assembly itself: `dotnet run` between us and it makes stops slow and builds again.
        var directory = Path.GetDirectoryName(metadata.ProjectPath)!;
        return target.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) ? (BuiltProjects.Dotnet, directory, [target]) : (target, directory, []);
    }
}

/// <summary>Where MSBuild puts what it builds, for projects that came without that knowledge.</summary>
internal static class BuiltProjects
{
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, Lazy<Task<string>>> Known = new(StringComparer.Ordinal);

    /// <summary>The <c>dotnet</c> that runs this process: <c>…/dotnet</c> above <c>…/shared/Microsoft.NETCore.App/10.0.x/</c>.</summary>
    public static string Dotnet { get; } = Find();

    public static Task<string> TargetPathAsync(string projectPath, CancellationToken ct) =>
        Known.GetOrAdd(projectPath, path => new(() => BuildAsync(path))).Value.WaitAsync(ct);

    private static async Task<string> BuildAsync(string projectPath)
    {
        var start = new ProcessStartInfo(Dotnet, ["msbuild", projectPath, "-restore", "-t:Build", "-getProperty:TargetPath", "-nologo", "-v:q"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetDirectoryName(projectPath)!,
        };
        using var build = Process.Start(start) ?? throw new DistributedApplicationException($"'{Dotnet}' could not be started.");
        var errors = build.StandardError.ReadToEndAsync();
        var output = (await build.StandardOutput.ReadToEndAsync()).Trim();
        await build.WaitForExitAsync();
        return build.ExitCode == 0
            ? output.Split('\n')[^1].Trim()
            : throw new DistributedApplicationException($"{projectPath} does not build (exit code {build.ExitCode.ToString(CultureInfo.InvariantCulture)}):\n{output}\n{await errors}");
    }

    private static string Find()
    {
        var root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "..", "..", ".."));
        var muxer = Path.Combine(root, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet");
        return File.Exists(muxer) ? muxer : "dotnet";
    }
}
