using OpenPlatform.Tests.Architecture;
using OpenPlatform.Tests.Hosting.ApplicationModel;

namespace OpenPlatform.Tests.Hosting.Publishing.Kubernetes;

/// <summary>
/// A change of what is written is seen in the diff of these files. <c>UPDATE_GOLDEN=1</c> writes them anew. The chart's templates are not
/// among them: <see cref="ChartTests"/> compares what they render.
/// </summary>
public sealed class GoldenTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "OpenPlatform.Tests", "Hosting", "Publishing", "Kubernetes", "Golden");

    [Fact]
    public async Task What_is_written_for_the_shop_is_as_it_was()
    {
        var builder = Apps.Publishing("--image-tag", "0.1.0"); // otherwise that of the commit
        Shop.Add(builder);
        var files = (await Published.OfAsync(builder, "k8s")).Files.Where(f => !f.Key.StartsWith("chart/templates/", StringComparison.Ordinal) && !f.Key.EndsWith(".json", StringComparison.Ordinal)).ToDictionary();
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            if (Directory.Exists(Folder))
            {
                Directory.Delete(Folder, recursive: true);
            }

            foreach (var (path, text) in files)
            {
                var file = Path.Combine(Folder, path);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                await File.WriteAllTextAsync(file, text, TestContext.Current.CancellationToken);
            }
        }

        var golden = Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Folder, f).Replace('\\', '/'));
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), golden.Order(StringComparer.Ordinal));
        Assert.All(files, file => Assert.Equal(File.ReadAllText(Path.Combine(Folder, file.Key)), file.Value));
    }
}
