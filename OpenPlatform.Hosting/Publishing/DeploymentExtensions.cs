using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting;

/// <summary>What a deployment needs to know and the local run does not.</summary>
public static class DeploymentExtensions
{
    /// <summary>Deployed, between <paramref name="min"/> and <paramref name="max"/> instances run; the local run keeps its replica count.</summary>
    /// <param name="builder">The service.</param>
    /// <param name="min">At least 1; 2 or more survive the loss of one.</param>
    /// <param name="max">At most 1,000.</param>
    /// <param name="cpuPercent">Mean use of the requested CPU at which another instance is added, 10 to 95.</param>
    /// <param name="inFlightPerCore">Requests in flight for each requested core at which another is added; null: CPU alone decides.</param>
    public static IResourceBuilder<T> WithAutoscale<T>(this IResourceBuilder<T> builder, int min, int max, int cpuPercent = 70, int? inFlightPerCore = null) where T : IComputeResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentOutOfRangeException.ThrowIfLessThan(min, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(max, min);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(max, 1000);
        ArgumentOutOfRangeException.ThrowIfLessThan(cpuPercent, 10);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(cpuPercent, 95);
        ArgumentOutOfRangeException.ThrowIfLessThan(inFlightPerCore ?? 1, 1, nameof(inFlightPerCore));
        return builder.WithAnnotation(new AutoscaleAnnotation(new(min, max, cpuPercent, inFlightPerCore)), ResourceAnnotationMutationBehavior.Replace);
    }

    /// <summary>Deployed, this much is set aside for each instance.</summary>
    /// <param name="builder">The service.</param>
    /// <param name="cpu">Cores, 0.05 to 64. No limit: an idle machine's CPU may be used.</param>
    /// <param name="memoryMiB">64 to 262,144; also the limit.</param>
    public static IResourceBuilder<T> WithResources<T>(this IResourceBuilder<T> builder, double cpu, int memoryMiB) where T : IComputeResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (cpu is not (>= 0.05 and <= 64))
        {
            throw new ArgumentOutOfRangeException(nameof(cpu), cpu, "Between 0.05 and 64 cores.");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(memoryMiB, 64);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(memoryMiB, 262_144);
        return builder.WithAnnotation(new ResourcesAnnotation(new(cpu, memoryMiB)), ResourceAnnotationMutationBehavior.Replace);
    }

    /// <summary>Deployed, the service answers <c>/startupz</c>, <c>/readyz</c> and <c>/livez</c> at a port of its own, which nothing outside reaches.</summary>
    /// <param name="builder">The service.</param>
    /// <param name="environmentVariable">Receives the address to listen at, <c>http://0.0.0.0:8081</c>.</param>
    /// <param name="port">1 to 65535.</param>
    public static IResourceBuilder<T> WithPrivatePort<T>(this IResourceBuilder<T> builder, string environmentVariable, int port = 8081) where T : IResourceWithEnvironment, IComputeResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(environmentVariable);
        ArgumentOutOfRangeException.ThrowIfLessThan(port, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, 65535);
        return builder.WithAnnotation(new PrivatePortAnnotation(environmentVariable, port), ResourceAnnotationMutationBehavior.Replace);
    }

    /// <summary>Deployed, the image runs once with these arguments, migrates its database and ends, before instances are replaced.</summary>
    public static IResourceBuilder<T> WithMigrations<T>(this IResourceBuilder<T> builder, params string[] arguments) where T : IComputeResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentOutOfRangeException.ThrowIfZero(arguments.Length, nameof(arguments));
        return builder.WithAnnotation(new MigrationsAnnotation(arguments), ResourceAnnotationMutationBehavior.Replace);
    }

    /// <summary>Deployed, callers see the address of every instance and choose themselves, in place of one address in front of all.</summary>
    /// <param name="builder">The service.</param>
    /// <param name="registration">Variable with which an instance makes its own address known. It is left out where a platform lets nobody call an instance by itself.</param>
    public static IResourceBuilder<T> WithAddressableInstances<T>(this IResourceBuilder<T> builder, string? registration = null) where T : IResourceWithEndpoints, IComputeResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithAnnotation(new AddressableInstancesAnnotation(registration), ResourceAnnotationMutationBehavior.Replace);
    }

    /// <summary>Deployed behind a proxy whose networks the platform tells, the service is told which they are, so that it can believe what the proxy says about the caller.</summary>
    /// <param name="builder">The service.</param>
    /// <param name="environmentVariable">Beginning of the variables that receive the networks (CIDR): <c>…__0</c>, <c>…__1</c>.</param>
    public static IResourceBuilder<T> WithProxyNetworks<T>(this IResourceBuilder<T> builder, string environmentVariable) where T : IResourceWithEnvironment, IComputeResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(environmentVariable);
        return builder.WithAnnotation(new ProxyNetworksAnnotation(environmentVariable), ResourceAnnotationMutationBehavior.Replace);
    }

    /// <summary>Deployed on one machine, operators reach the service's <c>http</c> endpoint at this port of the machine's loopback, as in a local run. Elsewhere they forward a port.</summary>
    /// <param name="builder">The service.</param>
    /// <param name="port">1 to 65535.</param>
    public static IResourceBuilder<T> WithOperatorPort<T>(this IResourceBuilder<T> builder, int port) where T : IResourceWithEndpoints, IComputeResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(port);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, ushort.MaxValue);
        return builder.WithAnnotation(new OperatorPortAnnotation(port), ResourceAnnotationMutationBehavior.Replace);
    }

    /// <summary>Deployed, the service may call addresses that the AppHost does not know; without it only what it refers to.</summary>
    public static IResourceBuilder<T> WithOutboundTraffic<T>(this IResourceBuilder<T> builder) where T : IComputeResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithAnnotation(new OutboundTrafficAnnotation(), ResourceAnnotationMutationBehavior.Replace);
    }

    /// <summary>Publishes the files of a folder of the AppHost beside what the environment writes, in a folder of the same name in lower case.</summary>
    /// <param name="builder">The environment.</param>
    /// <param name="folder">Below the AppHost's project folder, such as <c>Monitoring</c>; folders in it are left out.</param>
    public static IResourceBuilder<T> WithFiles<T>(this IResourceBuilder<T> builder, string folder) where T : IComputeEnvironmentResource
    {
        ArgumentNullException.ThrowIfNull(builder);
        var source = Path.GetFullPath(folder, builder.ApplicationBuilder.AppHostDirectory);
        return Directory.Exists(source) || builder.ApplicationBuilder.ExecutionContext.IsRunMode
            ? builder.WithAnnotation(new PublishedFolderAnnotation(source, Path.GetFileName(source).ToLowerInvariant()))
            : throw new Aspire.Hosting.DistributedApplicationException($"The folder '{source}', whose files environment '{builder.Resource.Name}' publishes, does not exist.");
    }
}

internal sealed record AutoscaleAnnotation(Publishing.AutoscaleModel Bounds) : IResourceAnnotation;

internal sealed record ResourcesAnnotation(Publishing.ResourcesModel Resources) : IResourceAnnotation;

internal sealed record PrivatePortAnnotation(string EnvironmentVariable, int Port) : IResourceAnnotation;

internal sealed record MigrationsAnnotation(IReadOnlyList<string> Arguments) : IResourceAnnotation;

internal sealed record OperatorPortAnnotation(int Port) : IResourceAnnotation;

internal sealed record AddressableInstancesAnnotation(string? Registration) : IResourceAnnotation;

internal sealed record ProxyNetworksAnnotation(string EnvironmentVariable) : IResourceAnnotation;

internal sealed record OutboundTrafficAnnotation : IResourceAnnotation;

/// <summary>The variable that receives a folder which outlives the process.</summary>
internal sealed record StateDirectoryAnnotation(string EnvironmentVariable) : IResourceAnnotation;
