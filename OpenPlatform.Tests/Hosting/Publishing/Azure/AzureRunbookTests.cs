using System.Text.RegularExpressions;
using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Hosting.Publishing.Azure;

/// <summary>What the pages say about Azure is what is published.</summary>
public sealed partial class AzureRunbookTests
{
    private static readonly string Text = string.Concat(new[] { "docs/operations/azure.md", "docs/deploy.md" }.Select(static page => File.ReadAllText(Path.Combine(Repository.Root, page))));

    [Fact]
    public async Task Every_file_app_and_job_that_a_page_names_is_published()
    {
        var published = await Published.AppHostAsync("azure");
        var files = Files().Matches(Text).Select(static m => m.Value).Distinct().ToArray();
        var names = Names().Matches(Text).Select(static m => m.Value).Distinct().ToArray();

        Assert.Contains("infra/gateway.bicep", files);
        Assert.All(files, file => Assert.Contains(file, published.Files.Keys));
        Assert.Contains("catalog-migrations", names);
        Assert.All(names, name => Assert.Contains($"infra/{name}.bicep", published.Files.Keys));
        Assert.Contains("name: 'catalogdb-connection-string'", published.Files["infra/modules/postgres.bicep"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_table_of_parameters_is_that_of_the_file_with_its_defaults()
    {
        var main = (await Published.AppHostAsync("azure")).Files["infra/main.bicep"];
        var parameters = Parameters().Matches(main).Where(static m => m.Groups["default"].Value != "''").Select(static m => (Name: m.Groups["name"].Value, Default: m.Groups["default"].Value.Trim('\'')));
        var rows = Repository.Table("docs/operations/azure.md", "| Parameter | Default | Meaning |").Select(static row => (Name: row[0].Trim('`'), Default: row[1].Trim('`')));

        Assert.Equal(parameters, rows);
    }

    [GeneratedRegex(@"infra/[a-z-]+\.(bicep|parameters\.json)|infra/README\.md", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Files();

    [GeneratedRegex(@"(?<=az containerapp [a-z ]+ --name |azd deploy )[a-z-]+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Names();

    [GeneratedRegex(@"^param (?<name>\w+) \w+ = (?<default>.+)$", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 1000)]
    private static partial Regex Parameters();
}
