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
    /// <returns>What was written, for the last line.</returns>
    Task<string> RunAsync(string? outputPath, CancellationToken cancellationToken);
}

/// <summary>Writes <c>aspire-manifest.json</c>: a folder is given for <c>publish</c>; <c>publish-manifest</c> also takes the file itself.</summary>
internal sealed class ManifestStep(string name, DistributedApplicationModel model, DistributedApplicationExecutionContext context) : IPublishStep
{
    internal const string FileName = "aspire-manifest.json";

    public string Name => name;
    public string Description => "Write the manifest";

    public async Task<string> RunAsync(string? outputPath, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(outputPath))
        {
            throw new DistributedApplicationException($"Step '{name}' needs --output-path: a folder, or a file whose name ends in .json.");
        }
        var path = Path.GetFullPath(outputPath.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? outputPath : Path.Join(outputPath, FileName));
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
