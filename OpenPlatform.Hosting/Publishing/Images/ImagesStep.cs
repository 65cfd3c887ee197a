using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Publishing;

/// <summary>
/// Builds the image of every project that is deployed, into the container engine of this machine, archives or a registry; and, where there is an output path,
/// writes the files that deploy exactly these.
/// </summary>
internal sealed class ImagesStep(string name, DistributedApplicationModel model, DistributedApplicationExecutionContext context, IDistributedApplicationBuilder host, IServiceProvider services) : IPublishStep
{
    internal const string Build = "build", Push = "push";

    public string Name => name;
    public string Description => name == Push ? "Build and push the images" : "Build the images";

    public IReadOnlyList<PublishTask> Tasks(string? outputPath)
    {
        var images = new ProjectImages(host);
        if (name == Push && images.Registry.Length == 0)
        {
            throw new DistributedApplicationException($"Step '{Push}' needs --image-registry: where images are pushed to, such as registry.example.com.");
        }

        var projects = model.Resources.OfType<ProjectResource>().Where(p => !p.IsExcludedFromPublish()).ToArray();
        if (projects.Length == 0)
        {
            throw new DistributedApplicationException("There is no image to build: no project of this AppHost is deployed.");
        }

        var settings = ImageSettings.Read(host.Configuration, name == Push, host.AppHostDirectory);
        // What stays on this machine may be work in progress, and so may what has a tag that somebody chose.
        var tree = new Lazy<Task>(() => name == Push && images is { GivenTag: null, Commit: { } commit } ? WorkTree.EnsureIsCommitAsync(commit, images.Tag, host.AppHostDirectory) : Task.CompletedTask);
        IEnumerable<PublishTask> builds = projects.Select(project => new PublishTask($"{name}-{project.Name}", $"{(name == Push ? "Push" : "Build")} {images.Of(project).Reference}", async cancellationToken =>
        {
            await tree.Value.WaitAsync(cancellationToken);
            return await new ImageBuild(project.Name, images.Of(project), settings).RunAsync(cancellationToken);
        }));
        return string.IsNullOrWhiteSpace(outputPath)
            ? [.. builds]
            : [.. builds, .. new EnvironmentsStep(model, context, host.Configuration, services).Tasks(outputPath)];
    }
}
