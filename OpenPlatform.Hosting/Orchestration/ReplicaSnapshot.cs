using System.Collections.Immutable;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <param name="Life">The process that runs or ran last; null before the first.</param>
internal sealed record ReplicaView(RunningResource Owner, ReplicaLife? Life, ResourceStateSnapshot? State, string? Reason, int? ExitCode);

/// <summary>What the dashboard and waiters see of one replica.</summary>
internal static class ReplicaSnapshot
{
    public static CustomResourceSnapshot Render(CustomResourceSnapshot before, ReplicaView view)
    {
        var status = view.Life?.Status;
        var after = before with
        {
            State = view.State,
            ExitCode = view.ExitCode,
            Properties = before.Properties.Set(KnownProperties.StateReason, view.Reason).Set(KnownProperties.ExitCode, view.ExitCode),
            StartTimeStamp = status?.StartupTimestamp?.UtcDateTime,
            StopTimeStamp = status?.FinishTimestamp?.UtcDateTime,
            Urls = Urls(view),
        };
        if (view.Life is not { } life)
        {
            return after;
        }

        var fromSpec = life.Launch.Workload.Environment.Select(v => v.Name).ToHashSet(StringComparer.Ordinal);
        return after with
        {
            Properties = Properties(after.Properties, view.Owner.Resource, life),
            EnvironmentVariables = [.. (status?.EffectiveEnv ?? life.Launch.Workload.Environment)
                .OrderBy(v => v.Name, StringComparer.Ordinal)
                .Select(v => new EnvironmentVariableSnapshot(v.Name, v.Value, fromSpec.Contains(v.Name)))],
        };
    }

    private static ImmutableArray<ResourcePropertySnapshot> Properties(ImmutableArray<ResourcePropertySnapshot> properties, IResource resource, ReplicaLife life)
    {
        var args = (life.Status?.EffectiveArgs ?? life.Launch.Args).ToImmutableArray();
        if (life.Launch.Workload.Kind == "Container")
        {
            return properties
                .Set(KnownProperties.ContainerImage, life.Launch.Path)
                .Set(KnownProperties.ContainerId, life.Status?.ContainerId)
                .Set(KnownProperties.ContainerArgs, args, sensitive: true)
                .Set(KnownProperties.ContainerPorts, resource.Annotations.OfType<EndpointAnnotation>().Select(e => e.TargetPort).OfType<int>().ToImmutableArray());
        }

        return properties
            .Set(KnownProperties.ExecutablePath, life.Launch.Path)
            .Set(KnownProperties.ExecutableWorkDir, life.Launch.WorkingDirectory)
            .Set(KnownProperties.ExecutableArgs, args, sensitive: true)
            .Set(KnownProperties.ExecutablePid, life.HasEnded ? null : life.Status?.Pid)
            .Set(KnownProperties.ProjectPath, (resource as ProjectResource)?.GetProjectMetadata().ProjectPath);
    }

    /// <summary>The shared addresses, and beside each the replica's own: the way past the shared one, for whoever balances by himself.</summary>
    private static ImmutableArray<UrlSnapshot> Urls(ReplicaView view)
    {
        var reachable = view.Life?.InTraffic == true;
        var shared = view.Owner.Resource.Annotations.OfType<ResourceUrlAnnotation>().Select(u =>
            new UrlSnapshot(u.Endpoint?.EndpointName, u.Url, u.DisplayLocation == UrlDisplayLocation.DetailsOnly)
            {
                IsInactive = !reachable,
                DisplayProperties = new(u.DisplayText ?? "", u.DisplayOrder ?? 0),
            });
        var own = view.Life is { HasEnded: false } life
            ? view.Owner.AddressesOf(life.Launch.Ports).Select(a => new UrlSnapshot(a.Key, a.Value.ToString().TrimEnd('/'), IsInternal: true)
            {
                IsInactive = !reachable,
                DisplayProperties = new($"{a.Key} of this replica"),
            })
            : [];
        return [.. shared, .. own];
    }
}
