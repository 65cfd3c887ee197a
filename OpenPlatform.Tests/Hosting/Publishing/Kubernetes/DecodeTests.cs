using System.Diagnostics;
using System.Text.Json.Nodes;
using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Hosting.Publishing.Kubernetes;

/// <summary>
/// Every file through Kubernetes' own types, unknown fields refused, and through kustomize. The decoder (Support/decode.go) is built by .ci/run,
/// which names it; elsewhere it is skipped where it is not there.
/// </summary>
public sealed class DecodeTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("k8s-");

    public static TheoryData<string> Options => Variants.All;

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Options))]
    public async Task Every_manifest_decodes_strictly_into_the_real_types(string variant)
    {
        var decoder = Program("OPENPLATFORM_K8S_DECODER");
        var published = await Variants.AppHostAsync(variant);
        Write(published);

        var files = published.Files.Keys.Where(f => f.StartsWith("base/", StringComparison.Ordinal) || f.EndsWith("namespace.yaml", StringComparison.Ordinal)).Select(f => Path.Combine(_folder.FullName, f));
        var decoded = await RunAsync(decoder, [.. files]);

        Assert.Equal(published.Base().Count(o => !IsCustom(o)) + 3, decoded.Split('\n').Count(l => l.StartsWith("ok ", StringComparison.Ordinal)));
        Assert.Equal(published.Base().Count(IsCustom) + 1, decoded.Split('\n').Count(l => l.StartsWith("custom ", StringComparison.Ordinal))); // and the kustomization
    }

    [Fact]
    public async Task The_decoder_refuses_what_the_types_do_not_have()
    {
        var decoder = Program("OPENPLATFORM_K8S_DECODER");
        var file = Path.Combine(_folder.FullName, "wrong.yaml");
        await File.WriteAllTextAsync(file, "apiVersion: v1\nkind: Service\nmetadata:\n  name: x\nspec:\n  prots: []\n");
        Assert.Contains("unknown field", await RunAsync(decoder, [file], exitCode: 1), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_recovery_of_the_runbook_makes_a_cluster_of_what_the_published_one_archived()
    {
        var kubectl = Program("OPENPLATFORM_KUBECTL");
        var published = await Variants.AppHostAsync("--Kubernetes:Postgres=CloudNativePg");
        Write(published);
        var overlay = Path.Combine(_folder.FullName, "overlays", "production");
        var page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "operations", "backup-and-restore.md"));
        var start = page.IndexOf("# A recovery", StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(overlay, "recovery.yaml"), page[start..page.IndexOf("```", start, StringComparison.Ordinal)]);
        await File.AppendAllTextAsync(Path.Combine(overlay, "kustomization.yaml"), "patches: [{ path: recovery.yaml }]\n");

        var before = published.Base().Single(o => o.Kind == "Cluster");
        var after = Manifest.Read(await RunAsync(kubectl, ["kustomize", overlay])).Single(o => o.Kind == "Cluster");

        Assert.Null(after.At("spec", "bootstrap", "initdb"));
        Assert.Equal(after.Text("spec", "externalClusters", 0, "name"), after.Text("spec", "bootstrap", "recovery", "source"));
        // What the old one wrote, by the credentials it wrote with; an archive is never written by two.
        Assert.Equal(before.Name, after.Text("spec", "externalClusters", 0, "barmanObjectStore", "serverName"));
        Assert.All(["destinationPath", "s3Credentials"], key => Assert.True(JsonNode.DeepEquals(before.At("spec", "backup", "barmanObjectStore", key), after.At("spec", "externalClusters", 0, "barmanObjectStore", key))));
        Assert.NotEqual(before.Name, after.Text("spec", "backup", "barmanObjectStore", "serverName"));
        Assert.Equal(before.Text("spec", "backup", "barmanObjectStore", "destinationPath"), after.Text("spec", "backup", "barmanObjectStore", "destinationPath"));
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("staging")]
    [InlineData("production")]
    public async Task An_overlay_is_the_chart_with_the_values_of_its_environment(string environment)
    {
        var kubectl = Program("OPENPLATFORM_KUBECTL");
        var decoder = Program("OPENPLATFORM_K8S_DECODER");
        var published = await Variants.AppHostAsync("");
        Write(published);

        var built = await RunAsync(kubectl, ["kustomize", Path.Combine(_folder.FullName, "overlays", environment)]);
        var file = Path.Combine(_folder.FullName, "built.yaml");
        await File.WriteAllTextAsync(file, built);
        await RunAsync(decoder, [file]);

        var objects = Manifest.Read(built);
        Assert.All(objects.Where(o => o.Kind != "Namespace"), o => Assert.Equal($"openplatform-{environment}", o.Text("metadata", "namespace")));
        var values = Manifest.Documents(published.Files[$"chart/values-{environment}.yaml"]).Single()!.AsObject();
        ChartTests.AssertSame(objects.Where(o => o.Kind != "Namespace").Select(WithoutNamespace), ChartTests.Render(published, values));
    }

    private static Manifest WithoutNamespace(Manifest manifest)
    {
        manifest.Json["metadata"]!.AsObject().Remove("namespace");
        return manifest;
    }

    private static bool IsCustom(Manifest manifest) => manifest.Kind is "Cluster" or "ScheduledBackup" or "HTTPRoute";

    private void Write(Published published)
    {
        foreach (var (path, text) in published.Files)
        {
            var file = Path.Combine(_folder.FullName, path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, text);
        }
    }

    /// <summary>The program that the variable names; without it the test is skipped, but never on the build server.</summary>
    private static string Program(string variable)
    {
        var path = Environment.GetEnvironmentVariable(variable);
        Assert.SkipWhen(string.IsNullOrEmpty(path) && Environment.GetEnvironmentVariable("CI") != "true", $"{variable} names no program; .ci/run builds it.");
        Assert.True(File.Exists(path), $"{variable} is '{path}', which is not there.");
        return path;
    }

    private static async Task<string> RunAsync(string program, string[] arguments, int exitCode = 0)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == exitCode, output + await errors);
        return output;
    }
}
