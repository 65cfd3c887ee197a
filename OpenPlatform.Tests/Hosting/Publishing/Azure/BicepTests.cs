using System.Text.Json.Nodes;

namespace OpenPlatform.Tests.Hosting.Publishing.Azure;

/// <summary>Every file through Bicep's own compiler, and every resource against its published type; and both can fail.</summary>
public sealed class BicepTests
{
    public static TheoryData<string> Applications => ["AppHost", "shop"];

    [Theory]
    [MemberData(nameof(Applications))]
    public async Task Every_file_compiles_without_a_warning_and_is_formatted(string application)
    {
        using var folder = await AzureFolder.WriteAsync(application);
        Assert.Equal("", await BicepCompiler.BuildAsync(folder.PathOf("infra")));
        Assert.All(folder.Roots, root => Assert.True(File.Exists(folder.PathOf(Path.ChangeExtension(root, ".json"))), $"{root} was not compiled."));

        await BicepCompiler.FormatAsync(folder.PathOf("infra"));
        Assert.All(folder.Published.Files, file => Assert.Equal(File.ReadAllText(folder.PathOf(file.Key)), file.Value));
    }

    [Theory]
    [MemberData(nameof(Applications))]
    public async Task Every_resource_is_what_its_type_asks_for(string application)
    {
        var resources = await AzureFolder.ResourcesAsync(application);
        Assert.True(resources.Count > 30, $"Only {resources.Count} resources.");
        Assert.All(resources, static r => Assert.Empty(AzureTypeCheck.Problems(r)));
    }

    [Fact]
    public async Task The_compiler_finds_planted_mistakes()
    {
        (string Right, string Wrong, string Code)[] mistakes =
        [
            ("minReplicas", "fewestReplicas", "BCP037"), // no such property
            ("minReplicas: 3", "minReplicas: 'three'", "BCP036"), // another kind of value
            ("  location: location\n", "", "BCP035"), // a required property is missing
            ("containerApps@2026-07-01", "containerApps@2000-01-01", "BCP081"), // no such version
            ("environment.id", "environments.id", "BCP057"), // no such name
            ("  properties: {", "  properties: ", "Error BCP"), // no Bicep at all
        ];
        using var folder = await AzureFolder.WriteAsync("AppHost");
        var text = folder.Published.Files["infra/gateway.bicep"];
        var wrong = Directory.CreateDirectory(folder.PathOf("wrong")).FullName;
        foreach (var (i, mistake) in mistakes.Index())
        {
            var at = text.IndexOf(mistake.Right, StringComparison.Ordinal);
            Assert.True(at >= 0, $"The file has no '{mistake.Right}'.");
            await File.WriteAllTextAsync(Path.Combine(wrong, $"mistake{i}.bicep"), text[..at] + mistake.Wrong + text[(at + mistake.Right.Length)..], TestContext.Current.CancellationToken);
        }

        var problems = (await BicepCompiler.BuildAsync(wrong)).Split('\n');
        Assert.All(mistakes.Index(), m => Assert.Contains(problems, p => p.Contains($"mistake{m.Index}.bicep", StringComparison.Ordinal) && p.Contains(m.Item.Code, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("properties.configuration.activeRevisionsMode", "\"Sometimes\"", "'Sometimes' is none of Multiple, Single")]
    [InlineData("properties.configuration.ingress.transport", "\"pigeon\"", "'pigeon' is none of auto, http, http2, tcp")]
    [InlineData("properties.template.containers.0.probes.0.type", "\"Begin\"", "'Begin' is none of")]
    [InlineData("properties.template.scale.minReplicas", "\"3\"", "a number is wanted")]
    [InlineData("properties.template.scale.most", "30", "there is no such property")]
    [InlineData("properties.runningStatus", "\"Running\"", "only Azure sets it")]
    [InlineData("location", null, "is missing")]
    [InlineData("apiVersion", "\"2000-01-01\"", "there is no such resource")]
    public async Task The_types_find_a_planted_mistake(string path, string? wrong, string problem)
    {
        var app = (await AzureFolder.ResourcesAsync("AppHost")).Single(static r => (string?)r["name"] == "gateway");
        var steps = path.Split('.').Select(static object (s) => int.TryParse(s, out var index) ? index : s).ToArray();
        var owner = Manifest.In(app, steps[..^1])!.AsObject();
        owner.Remove((string)steps[^1]);
        if (wrong is not null)
        {
            owner[(string)steps[^1]] = JsonNode.Parse(wrong);
        }

        Assert.Contains(problem, Assert.Single(AzureTypeCheck.Problems(app)), StringComparison.Ordinal);
    }
}
