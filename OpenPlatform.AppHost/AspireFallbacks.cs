#if ASPIRE_PACKAGES // the one file of this project that depends on where the Aspire libraries come from
namespace OpenPlatform.Hosting;

/// <summary>What OpenPlatform.Hosting offers beyond Aspire and AppHost.cs uses, as far as Aspire's own libraries can do it.</summary>
internal static class AspireFallbacks
{
    /// <summary>A folder below the AppHost's build output, shared by the replicas and kept between runs.</summary>
    public static IResourceBuilder<T> WithStateDirectory<T>(this IResourceBuilder<T> builder, string environmentVariable)
        where T : IResourceWithEnvironment
    {
        var folder = Path.Combine(builder.ApplicationBuilder.AppHostDirectory, "obj", "state", builder.Resource.Name);
        Directory.CreateDirectory(folder);
        return builder.WithEnvironment(environmentVariable, folder);
    }
}
#endif
