using System.Text;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace OpenPlatform.Hosting.Publishing;

/// <summary>Writes the files of every environment of the AppHost, or of the one that <c>--environment-name</c> names, each into a folder of its name. Without an environment: the manifest.</summary>
internal sealed class EnvironmentsStep(DistributedApplicationModel model, DistributedApplicationExecutionContext context, IConfiguration configuration, IServiceProvider services) : IPublishStep
{
    /// <summary>Lists what was written, so that the next time what is no longer written is deleted, and nothing else.</summary>
    internal const string ListFile = ".published";

    public string Name => "publish";
    public string Description => "Publish the application";

    public IReadOnlyList<PublishTask> Tasks(string? outputPath)
    {
        var all = model.Resources.OfType<IDeploymentTarget>().ToArray();
        var wanted = configuration["Publishing:EnvironmentName"];
        var chosen = string.IsNullOrEmpty(wanted) ? all : [.. all.Where(e => string.Equals(e.Name, wanted, StringComparison.OrdinalIgnoreCase))];
        if (!string.IsNullOrEmpty(wanted) && chosen.Length == 0)
        {
            throw new DistributedApplicationException($"--environment-name '{wanted}' is unknown. Environments of this AppHost: {(all.Length == 0 ? "none" : string.Join(", ", all.Select(e => e.Name)))}.");
        }

        if (chosen.Select(e => e.Settings?.Error).FirstOrDefault(e => e is not null) is { } error)
        {
            throw new DistributedApplicationException(error);
        }

        if (chosen.Length == 0)
        {
            return new ManifestStep(Name, model, context).Tasks(outputPath);
        }

        if (string.IsNullOrWhiteSpace(outputPath))
        {
            throw new DistributedApplicationException($"Step '{Name}' needs --output-path: the folder to write to.");
        }

        var deployment = new Lazy<Task<DeploymentModel>>(() => ActivatorUtilities.CreateInstance<DeploymentModelBuilder>(services).BuildAsync(CancellationToken.None));
        return [.. chosen.Select(target => new PublishTask($"publish-{target.Name}", $"Write {target.Target} files of '{target.Name}'", async cancellationToken =>
        {
            // All of it exists before the first byte is written.
            var files = target.Files(await deployment.Value.WaitAsync(cancellationToken)).ToArray();
            var folder = Path.GetFullPath(Path.Join(outputPath, target.Name));
            await WriteAsync(folder, files, cancellationToken);
            return folder;
        }))];
    }

    private static async Task WriteAsync(string folder, IReadOnlyList<DeploymentFile> files, CancellationToken cancellationToken)
    {
        var list = Path.Combine(folder, ListFile);
        var before = File.Exists(list) ? await File.ReadAllLinesAsync(list, cancellationToken) : [];
        foreach (var file in files)
        {
            var path = Path.Combine(folder, file.Path);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllTextAsync(path, file.Text, cancellationToken);
        }

        foreach (var gone in before.Except(files.Select(f => f.Path), StringComparer.Ordinal))
        {
            // The list lies in the folder, where anybody may have written it.
            var path = Path.GetFullPath(Path.Combine(folder, gone));
            if (path.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            {
                File.Delete(path);
            }
        }

        await File.WriteAllTextAsync(list, new StringBuilder().AppendJoin('\n', files.Select(f => f.Path).Order(StringComparer.Ordinal)).Append('\n').ToString(), cancellationToken);
    }
}
