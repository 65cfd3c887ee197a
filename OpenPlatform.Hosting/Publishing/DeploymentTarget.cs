using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using OpenPlatform.Hosting.Publishing;

namespace OpenPlatform.Hosting;

/// <summary>A resource of the AppHost that stands for a place to deploy to. What it writes depends on nothing but the model.</summary>
internal interface IDeploymentTarget : IComputeEnvironmentResource
{
    /// <summary>As a person says it: "Kubernetes".</summary>
    string Target { get; }

    /// <summary>What configuration may set of it, or null.</summary>
    TargetOptions? Settings => null;

    IEnumerable<DeploymentFile> Write(DeploymentModel model);
}

/// <param name="Path">Below the environment's folder, with forward slashes.</param>
/// <param name="Text">Lines end with a line feed.</param>
internal sealed record DeploymentFile(string Path, string Text);

/// <summary>A folder of the AppHost whose files are published as they are.</summary>
internal sealed record PublishedFolderAnnotation(string Source, string Name) : IResourceAnnotation;

internal static class DeploymentTargets
{
    /// <summary>What the target writes, and the folders that come with it.</summary>
    internal static IEnumerable<DeploymentFile> Files(this IDeploymentTarget target, DeploymentModel model) => target.Write(model).Concat(
        from folder in target.Annotations.OfType<PublishedFolderAnnotation>()
        from path in Directory.EnumerateFiles(folder.Source).Order(StringComparer.Ordinal)
        select new DeploymentFile($"{folder.Name}/{Path.GetFileName(path)}", File.ReadAllText(path).ReplaceLineEndings("\n")));

    /// <summary>Adds the environment where it is published; a local run does not show it.</summary>
    internal static IResourceBuilder<T> AddDeploymentTarget<T>(this IDistributedApplicationBuilder builder, T target) where T : class, IDeploymentTarget
    {
        if (builder.ExecutionContext.IsRunMode)
        {
            return builder.CreateResourceBuilder(target);
        }

        return builder.AddResource(target).WithAnnotation(ManifestPublishingCallbackAnnotation.Ignore);
    }
}
