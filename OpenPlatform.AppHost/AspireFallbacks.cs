#if ASPIRE_PACKAGES // the one file of this project that depends on where the Aspire libraries come from
namespace OpenPlatform.Hosting;

/// <summary>What OpenPlatform.Hosting offers beyond Aspire and AppHost.cs uses, as far as Aspire's own libraries can do it.</summary>
internal static class AspireFallbacks
{
    /// <summary>A folder below the AppHost's build output, shared by the replicas and kept between runs.</summary>
    public static IResourceBuilder<T> WithStateDirectory<T>(this IResourceBuilder<T> builder, string environmentVariable)
        where T : IResourceWithEnvironment
    {
        if (!builder.ApplicationBuilder.ExecutionContext.IsRunMode)
        {
            return builder;
        }

        var folder = Path.Combine(builder.ApplicationBuilder.AppHostDirectory, "obj", "state", builder.Resource.Name);
        Directory.CreateDirectory(folder);
        return builder.WithEnvironment(environmentVariable, folder);
    }

    // Aspire's publishers are packages of their own, which few feeds have. With these packages only the manifest is published, which azd reads.
    public static Undeployed AddKubernetesEnvironment(this IDistributedApplicationBuilder builder, string name) => new();
    public static Undeployed AddDockerComposeEnvironment(this IDistributedApplicationBuilder builder, string name) => new();
    public static Undeployed AddAzureContainerAppEnvironment(this IDistributedApplicationBuilder builder, string name) => new();

    internal sealed class Undeployed
    {
        public Undeployed WithFiles(string folder) => this;
    }

    // What only a deployment needs. Aspire's own publishers have no words for it: there the Kubernetes resources are customized by hand.
    public static IResourceBuilder<T> WithAutoscale<T>(this IResourceBuilder<T> builder, int min, int max, int cpuPercent = 70, int? inFlightPerCore = null)
        where T : IResource => builder;
    public static IResourceBuilder<T> WithResources<T>(this IResourceBuilder<T> builder, double cpu, int memoryMiB) where T : IResource => builder;
    public static IResourceBuilder<T> WithPrivatePort<T>(this IResourceBuilder<T> builder, string environmentVariable, int port = 8081) where T : IResource => builder;
    public static IResourceBuilder<T> WithOperatorPort<T>(this IResourceBuilder<T> builder, int port) where T : IResource => builder;
    public static IResourceBuilder<T> WithMigrations<T>(this IResourceBuilder<T> builder, params string[] arguments) where T : IResource => builder;
    public static IResourceBuilder<T> WithAddressableInstances<T>(this IResourceBuilder<T> builder, string? registration = null) where T : IResource => builder;
    public static IResourceBuilder<T> WithProxyNetworks<T>(this IResourceBuilder<T> builder, string environmentVariable) where T : IResource => builder;
    public static IResourceBuilder<T> WithOutboundTraffic<T>(this IResourceBuilder<T> builder) where T : IResource => builder;
}
#endif
