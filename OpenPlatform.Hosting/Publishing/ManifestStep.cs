using System.Text.Encodings.Web;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Publishing;

namespace OpenPlatform.Hosting;

/// <summary>Something <c>--operation publish --step name</c> can do.</summary>
internal interface IPublishStep
{
    string Name { get; }
    /// <summary>What it does, as a person reads it: "Write the manifest".</summary>
    string Description { get; }
    /// <param name="outputPath">As given by <c>--output-path</c>.</param>
    /// <returns>What is to be done, in this order; at least one.</returns>
    /// <exception cref="DistributedApplicationException">A switch is missing or wrong.</exception>
    IReadOnlyList<PublishTask> Tasks(string? outputPath);
}

/// <param name="Id">Unique within the step.</param>
/// <param name="Description">As a person reads it.</param>
/// <param name="RunAsync">Does it, and says what was written.</param>
internal sealed record PublishTask(string Id, string Description, Func<CancellationToken, Task<string>> RunAsync);

/// <summary>Writes <c>aspire-manifest.json</c>: a folder is given for <c>publish</c>; <c>publish-manifest</c> also takes the file itself.</summary>
internal sealed class ManifestStep(string name, DistributedApplicationModel model, DistributedApplicationExecutionContext context) : IPublishStep
{
    internal const string FileName = "aspire-manifest.json";

    public string Name => name;
    public string Description => "Write the manifest";

    public IReadOnlyList<PublishTask> Tasks(string? outputPath)
    {
        if (string.IsNullOrWhiteSpace(outputPath))
        {
            throw new DistributedApplicationException($"Step '{name}' needs --output-path: a folder, or a file whose name ends in .json.");
        }
        var path = Path.GetFullPath(outputPath.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? outputPath : Path.Join(outputPath, FileName));
        return [new("manifest", Description, cancellationToken => WriteAsync(path, cancellationToken))];
    }

    private async Task<string> WriteAsync(string path, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        // Written as a whole or not at all.
        using var text = new MemoryStream();
        using (var writer = new Utf8JsonWriter(text, new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" }))
        {
            await new ManifestPublishingContext(context, path, writer, cancellationToken).WriteModelAsync(model);
        }
        await File.WriteAllBytesAsync(path, text.ToArray(), cancellationToken);
        return path;
    }
}
