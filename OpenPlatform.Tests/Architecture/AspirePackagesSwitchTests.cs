using System.Diagnostics;
using System.Text.Json;

namespace OpenPlatform.Tests.Architecture;

/// <summary>UseAspirePackages=true must evaluate to the official packages and none of the in-repo stand-ins.</summary>
public sealed class AspirePackagesSwitchTests
{
    [Theory]
    [InlineData("OpenPlatform.AppHost", "Aspire.Hosting.AppHost", "Aspire.Hosting.PostgreSQL", "Aspire.Hosting.Redis")]
    [InlineData("OpenPlatform.ServiceDefaults", "Aspire.StackExchange.Redis", "Microsoft.Extensions.Http.Resilience", "Microsoft.Extensions.ServiceDiscovery")]
    [InlineData("OpenPlatform.Gateway", "Aspire.StackExchange.Redis")]
    [InlineData("OpenPlatform.Catalog", "Aspire.StackExchange.Redis")]
    [InlineData("OpenPlatform.Tests", "Aspire.Hosting.Testing")]
    public async Task With_the_switch_on_a_project_uses_the_official_packages_and_none_of_ours(string project, params string[] packages)
    {
        var on = await EvaluateAsync(project, useAspirePackages: true);
        var off = await EvaluateAsync(project, useAspirePackages: false);

        Assert.Equal(packages, on.Packages.Where(IsOfTheCard).Order());
        Assert.DoesNotContain("OpenPlatform.Hosting", on.Projects);
        Assert.DoesNotContain(on.Sources, static s => s.Contains("InRepo", StringComparison.Ordinal));
        Assert.DoesNotContain("Polly.Core", on.Packages);
        Assert.DoesNotContain(off.Packages, IsOfTheCard);
    }

    [Fact]
    public void Every_package_of_the_card_has_a_central_version()
    {
        var versions = File.ReadAllText(Path.Combine(Repository.Root, "Directory.Packages.props"));
        string[] card =
        [
            "Aspire.Hosting.AppHost", "Aspire.Hosting.Redis", "Aspire.Hosting.PostgreSQL", "Aspire.StackExchange.Redis",
            "Microsoft.Extensions.ServiceDiscovery", "Microsoft.Extensions.Http.Resilience", "Aspire.Hosting.Testing",
        ];
        Assert.All(card, package => Assert.Contains($"<PackageVersion Include=\"{package}\"", versions, StringComparison.Ordinal));
    }

    private static bool IsOfTheCard(string package) =>
        package.StartsWith("Aspire.", StringComparison.Ordinal) || package is "Microsoft.Extensions.ServiceDiscovery" or "Microsoft.Extensions.Http.Resilience";

    private static async Task<(string[] Packages, string[] Projects, string[] Sources)> EvaluateAsync(string project, bool useAspirePackages)
    {
        using var msbuild = Process.Start(new ProcessStartInfo("dotnet",
            ["msbuild", Path.Combine(Repository.Root, project, project + ".csproj"), $"-p:UseAspirePackages={(useAspirePackages ? "true" : "false")}",
             "-getItem:PackageReference", "-getItem:ProjectReference", "-getItem:Compile", "-nodeReuse:false"])
        { RedirectStandardOutput = true, UseShellExecute = false })!;
        var json = await msbuild.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await msbuild.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(msbuild.ExitCode == 0, json);

        using var document = JsonDocument.Parse(json);
        string[] Items(string name) => [.. document.RootElement.GetProperty("Items").GetProperty(name).EnumerateArray()
            .Select(static i => i.GetProperty("Identity").GetString()!.Replace('\\', '/'))];
        return (Items("PackageReference"), [.. Items("ProjectReference").Select(static p => Path.GetFileNameWithoutExtension(p))], Items("Compile"));
    }
}
