using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Hosting.Publishing;

/// <summary>
/// A change of what is written is seen in the diff of these files. <c>UPDATE_GOLDEN=1</c> writes them anew. The templates of the Helm chart are not
/// among them: <see cref="Kubernetes.ChartTests"/> compares what they render.
/// </summary>
public sealed class GoldenTests
{
    [Theory]
    [InlineData("k8s", "Kubernetes")]
    [InlineData("compose", "Compose")]
    [InlineData("azure", "Azure")]
    public async Task What_is_written_for_the_shop_is_as_it_was(string environment, string target)
    {
        var folder = Path.Combine(Repository.Root, "OpenPlatform.Tests", "Hosting", "Publishing", target, "Golden");
        var files = (await Shop.PublishAsync(environment)).Files.Where(static f => !f.Key.StartsWith("chart/templates/", StringComparison.Ordinal) && f.Key != "chart/values.schema.json").ToDictionary();
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }

            foreach (var (path, text) in files)
            {
                var file = Path.Combine(folder, path);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                await File.WriteAllTextAsync(file, text, TestContext.Current.CancellationToken);
            }
        }

        var golden = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(folder, f).Replace('\\', '/'));
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), golden.Order(StringComparer.Ordinal));
        Assert.All(files, file => Assert.Equal(File.ReadAllText(Path.Combine(folder, file.Key)), file.Value));
    }
}
