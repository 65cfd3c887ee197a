using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting;

internal static class LocalServerExtensions
{
    /// <summary>
    /// Offers a process in place of the container, unless configuration <c>LocalServers:&lt;kind&gt;</c> is <c>container</c>. Naming a
    /// program there takes it even where a container engine is healthy.
    /// </summary>
    internal static IResourceBuilder<T> WithLocalServer<T>(this IResourceBuilder<T> builder, string kind, string[] programs, Func<string?, ILocalServer> create) where T : ContainerResource
    {
        var choice = builder.ApplicationBuilder.Configuration[$"LocalServers:{kind}"];
        if (string.IsNullOrEmpty(choice))
        {
            return builder.WithAnnotation(new LocalServerAnnotation(create(null)));
        }

        return choice == "container" ? builder
            : programs.Contains(choice) ? builder.WithAnnotation(new LocalServerAnnotation(create(choice)) { Always = true })
            : throw new DistributedApplicationException($"LocalServers:{kind} is '{choice}'; it can be {string.Join(", ", programs)} or container.");
    }

    /// <summary>Unique per application and resource, so that two applications do not share data by accident.</summary>
    internal static string VolumeName<T>(IResourceBuilder<T> builder, string suffix) where T : IResource
    {
        var application = new string([.. builder.ApplicationBuilder.Environment.ApplicationName.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-' ? c : '-')]);
        return $"{application}-{builder.ApplicationBuilder.Configuration["AppHost:Sha256"]?[..10]}-{builder.Resource.Name}-{suffix}";
    }
}
