using System.Text.RegularExpressions;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Hosting.Publishing.Kubernetes;

/// <summary>What the pages of docs/operations and docs/deploy.md name exists in what is published.</summary>
public sealed partial class RunbookTests
{
    private static readonly string Text = string.Concat(Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs", "operations"), "*.md").Append(Path.Combine(Repository.Root, "docs", "deploy.md")).Select(File.ReadAllText));

    [Fact]
    public async Task Every_object_that_a_page_names_is_published()
    {
        var published = await Variants.AppHostAsync("");
        var ids = published.Base().Select(o => o.Id.ToLowerInvariant()).Append("secret/openplatform-secrets").ToHashSet();
        var made = Made().Matches(Text).Select(m => "job/" + m.Groups["name"].Value).ToArray();
        var named = Named().Matches(Text).Select(m => (m.Groups["kind"].Value == "hpa" ? "horizontalpodautoscaler" : m.Groups["kind"].Value) + "/" + m.Groups["name"].Value).Distinct().ToArray();

        Assert.NotEmpty(named);
        Assert.All(named.Except(made), id => Assert.Contains(id, ids));
        Assert.All(Namespaces().Matches(Text).Select(m => m.Value), n => Assert.Equal("openplatform-production", n));
        Assert.All(Claims().Matches(Text).Select(m => m.Groups["set"].Value), set => Assert.Contains($"statefulset/{set}", ids));
    }

    [Fact]
    public async Task Every_value_and_option_that_a_page_names_exists()
    {
        var values = ChartTests.Values(await Variants.AppHostAsync(""));
        var paths = Values().Matches(Text).Select(m => m.Groups["path"].Value).Distinct().ToArray();
        Assert.NotEmpty(paths);
        Assert.All(paths, path => Assert.True(Manifest.In(values, path.Split('.')) is not null, $"values.yaml has no {path}."));

        var options = typeof(KubernetesOptions).GetProperties().Select(p => p.Name).ToArray();
        Assert.Equal(options.Order(), Options().Matches(Text).Select(m => m.Groups["name"].Value).Distinct().Order());
    }

    [Fact]
    public async Task Every_secret_has_a_row_that_says_how_it_is_rotated()
    {
        var rows = Repository.Table("docs/operations/rotate-a-key.md", "| Key | Who restarts | While old and new run side by side |").SelectMany(row => row[0].Split(", ")).Select(k => k.Trim('`'));
        Assert.Equal((await Variants.AppHostAsync("")).Model.Secrets.Select(s => s.Name).Order(), rows.Order());
    }

    [GeneratedRegex(@"\b(?<kind>deployment|statefulset|cronjob|job|service|hpa|secret)/(?<name>[a-z][a-z0-9-]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Named();

    [GeneratedRegex(@"create job (?<name>[a-z-]+) --from", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Made();

    [GeneratedRegex(@"(?<=-n )openplatform-[a-z]+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Namespaces();

    [GeneratedRegex(@"pvc data-(?<set>[a-z]+)-0", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Claims();

    [GeneratedRegex(@"\b(?<path>(gateway|catalog|orders|postgres|redis|ingress|networkPolicy|otlp)(\.(?!md\b|example|svc|bicep)[a-zA-Z]+)+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Values();

    [GeneratedRegex(@"--Kubernetes:(?<name>[A-Za-z]+)=", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Options();
}
