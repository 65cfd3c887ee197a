using System.Reflection;
using System.Reflection.PortableExecutable;
using System.Text.Json.Nodes;
using Aspire.Hosting;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Hosting;
using OpenPlatform.Hosting.Publishing;
using OpenPlatform.Tests.Architecture;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Fixtures.Containers;
using OpenPlatform.Tests.Gateway.Protocols;
using OpenPlatform.Tests.Hosting.ApplicationModel;

namespace OpenPlatform.Tests.Hosting.Publishing.Images;

/// <summary>Images as the steps <c>build</c> and <c>push</c> make them.</summary>
public sealed class ImageTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("images-");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static string Orders => Path.Combine(Repository.Root, "samples", "Orders", "Orders.csproj");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task One_step_pushes_an_image_for_each_processor_and_writes_the_files_that_name_it()
    {
        await using var registry = await ImageRegistry.StartAsync();
        var output = Path.Combine(_folder.FullName, "out");

        await RunAsync("push", output, "--image-registry", $"{registry.Host}/team", "--image-tag", "7", "--image-base", await registry.PushBaseAsync());

        const string Repository = "team/openplatform-tests/shop";
        var index = await registry.ManifestAsync(Repository, "7");
        Assert.Equal(["amd64", "arm64"], index["manifests"]!.AsArray().Select(static m => m!["platform"]!["architecture"]!.GetValue<string>()).Order());
        foreach (var entry in index["manifests"]!.AsArray())
        {
            var manifest = await registry.ManifestAsync(Repository, entry!["digest"]!.GetValue<string>());
            var config = JsonNode.Parse(await registry.BlobAsync(Repository, manifest["config"]!["digest"]!.GetValue<string>()))!["config"]!;
            var files = await registry.FilesAsync(Repository, manifest["layers"]!.AsArray()[^1]!["digest"]!.GetValue<string>());

            Assert.Equal("1654", config["User"]!.GetValue<string>());
            Assert.Equal(["dotnet", "/app/Orders.dll"], config["Entrypoint"]!.AsArray().Select(static e => e!.GetValue<string>()));
            var labels = config["Labels"]!.AsObject().ToDictionary(static l => l.Key, static l => l.Value!.GetValue<string>());
            Assert.Equal("Orders", labels["org.opencontainers.image.title"]);
            Assert.Equal("0.1.0", labels["org.opencontainers.image.version"]);
            Assert.Equal($"{registry.Host}/dotnet/aspnet:10.0", labels["org.opencontainers.image.base.name"]);
            Assert.StartsWith("sha256:", labels["org.opencontainers.image.base.digest"], StringComparison.Ordinal);
            Assert.DoesNotContain(labels, static label => label.Key.EndsWith(".created", StringComparison.Ordinal));
            if (await HeadAsync() is { } head)
            {
                Assert.Equal(head, labels["org.opencontainers.image.revision"]);
            }

            Assert.Equal(Libraries(files["/app/Orders.deps.json"]), Components(files[labels["openplatform.sbom"]]));
            Assert.True(IsCompiledAhead(files["/app/Orders.dll"]), "Orders.dll has no machine code.");
            Assert.True(IsCompiledAhead(files["/app/OpenTelemetry.dll"]), "OpenTelemetry.dll has no machine code.");
        }

        Assert.Contains($"image: {registry.Host}/{Repository}:7", await File.ReadAllTextAsync(Path.Combine(output, "k8s", "chart", "values.yaml"), Stop), StringComparison.Ordinal);
        Assert.Contains($"{registry.Host}/{Repository}:${{TAG:-7}}", await File.ReadAllTextAsync(Path.Combine(output, "compose", "compose.yaml"), Stop), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_tag_is_version_and_commit_whoever_asks()
    {
        var built = typeof(Projects.OpenPlatform_AppHost).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+');
        var model = (await Published.AppHostAsync("k8s")).Model;
        Assert.All(model.Services.Where(static s => s.Kind == ServiceKind.Project), service => Assert.Equal(built.Length == 1 ? built[0] : $"{built[0]}-{built[1][..12]}", service.Image.Tag));

        // What `dotnet publish -t:PublishContainer` would give it, by itself.
        var head = await HeadAsync();
        var tag = await OutputAsync("dotnet", Repository.Root, "msbuild", Orders, "-t:TagContainerImage", "-getProperty:ContainerImageTag", "-nologo");
        Assert.Equal(head is null ? "0.1.0" : $"0.1.0-{head[..12]}", tag);
    }

    [Fact]
    public async Task The_bill_of_materials_is_valid_for_a_program_that_nobody_here_wrote()
    {
        NodePeers.Require("npm");
        await PeerTests.RunAsync("npm", "install", "--prefix", _folder.FullName, "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error",
            "@cyclonedx/cyclonedx-library@10.3.0", "ajv@8.20.0", "ajv-formats@3.0.1", "ajv-formats-draft2019@1.6.1");
        var validator = Path.Combine(_folder.FullName, "validate.js");
        await File.WriteAllTextAsync(validator, """
            const { Validation, Spec } = require('@cyclonedx/cyclonedx-library');
            const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot5);
            (async () => { for (const file of process.argv.slice(2)) console.log(await validator.validate(require('fs').readFileSync(file, 'utf8')) === null ? 'valid' : 'invalid'); })();
            """, Stop);
        var gateway = Path.Combine(Repository.Root, "OpenPlatform.Gateway");
        var folder = await OutputAsync("dotnet", gateway, "msbuild", "-t:WriteBillOfMaterials", "-getProperty:_BomFile", "-nologo");
        var bom = await File.ReadAllTextAsync(folder, Stop);
        var spoilt = Path.Combine(_folder.FullName, "spoilt.json");
        await File.WriteAllTextAsync(spoilt, bom.Replace("\"SHA-512\"", "\"SHA-513\"", StringComparison.Ordinal), Stop);

        Assert.Contains("Yarp.ReverseProxy", bom, StringComparison.Ordinal);
        Assert.Equal(["valid", "invalid"], (await PeerTests.RunAsync("node", validator, folder, spoilt)).Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Theory]
    [InlineData("", "dotnet/aspnet:10.0-noble-chiseled", "linux-x64;linux-arm64")]
    [InlineData("-p:ContainerFamily=alpine", "dotnet/aspnet:10.0-alpine", "linux-musl-x64;linux-musl-arm64")]
    [InlineData("-p:ContainerBaseImage=registry.example.com/own/base:1", "registry.example.com/own/base:1", "linux-x64;linux-arm64")]
    public async Task The_base_is_chiseled_unless_somebody_says_otherwise(string property, string image, string processors)
    {
        var said = JsonNode.Parse(await OutputAsync("dotnet", Repository.Root, ["msbuild", Orders, "-t:ComputeContainerBaseImage", "-p:_IsPublishing=true", .. property.Length > 0 ? [property] : Array.Empty<string>(),
            "-getProperty:ContainerBaseImage,ContainerRuntimeIdentifiers", "-nologo"]))!["Properties"]!;
        Assert.EndsWith(image, said["ContainerBaseImage"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal(processors, said["ContainerRuntimeIdentifiers"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_base_image_that_cannot_be_read_is_said_with_the_way_out()
    {
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => RunAsync("build", null,
            "--image-archive", _folder.FullName, "--image-base", $"localhost:{FreePort.Next()}/nothing:1", "--Publishing:ImageProperties:PublishReadyToRun=false"));
        Assert.Contains("The image of 'shop' was not made. ", error.Message, StringComparison.Ordinal);
        Assert.Contains("The base image cannot be read: name one that can with --image-base", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(_folder.FullName));
    }

    [Fact]
    public async Task A_push_needs_a_registry()
    {
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => RunAsync("push", null));
        Assert.Contains("needs --image-registry", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_tag_of_a_commit_is_given_to_nothing_else()
    {
        Assert.SkipWhen(Tool.Find("git") is null, "git is not installed.");
        var tree = await CommitAsync();
        await WorkTree.EnsureIsCommitAsync(tree.Commit, "tag", tree.Folder);

        var stale = await Assert.ThrowsAsync<DistributedApplicationException>(() => WorkTree.EnsureIsCommitAsync(new string('0', 40), "tag", tree.Folder));
        Assert.Contains("was built from commit 000000000000", stale.Message, StringComparison.Ordinal);

        await File.WriteAllTextAsync(Path.Combine(tree.Folder, "b"), "2", Stop);
        var changed = await Assert.ThrowsAsync<DistributedApplicationException>(() => WorkTree.EnsureIsCommitAsync(tree.Commit, "0.1.0-abc", tree.Folder));
        Assert.Contains("(such as ?? b), and the tag 0.1.0-abc names a commit that does not hold them", changed.Message, StringComparison.Ordinal);
    }

    /// <summary>A shop of one service, with somewhere to deploy it.</summary>
    private static async Task RunAsync(string step, string? output, params string[] args)
    {
        var builder = Apps.Publishing(["--step", step, .. args]);
        builder.AddProject("shop", Orders);
        builder.AddKubernetesEnvironment("k8s");
        builder.AddDockerComposeEnvironment("compose");
        await using var app = builder.Build();
        foreach (var task in app.Services.GetServices<IPublishStep>().First(s => s.Name == step).Tasks(output))
        {
            await task.RunAsync(Stop);
        }
    }

    private async Task<(string Folder, string Commit)> CommitAsync()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_folder.FullName, "tree")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "a"), "1", Stop);
        string[] who = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"];
        await OutputAsync("git", folder, "init", "--quiet");
        await OutputAsync("git", folder, "add", "--all");
        await OutputAsync("git", folder, [.. who, "commit", "--quiet", "--message", "All of it"]);
        return (folder, await OutputAsync("git", folder, "rev-parse", "HEAD"));
    }

    private static async Task<string?> HeadAsync() =>
        Tool.Find("git") is { } git && await Tool.RunAsync(git, ["rev-parse", "HEAD"], TimeSpan.FromSeconds(30), Stop, Repository.Root) is { ExitCode: 0 } head ? head.Output.Trim() : null;

    private static async Task<string> OutputAsync(string program, string folder, params string[] arguments)
    {
        var result = await Tool.RunAsync(program, arguments, TimeSpan.FromMinutes(5), Stop, folder, new Dictionary<string, string> { ["MSBUILDDISABLENODEREUSE"] = "1" });
        Assert.True(result.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {result.Tail}");
        return result.Output.Trim();
    }

    /// <summary>Name and version of everything the program loads but itself.</summary>
    private static IEnumerable<string> Libraries(byte[] deps) =>
        JsonNode.Parse(deps)!["libraries"]!.AsObject().Select(static l => l.Key).Where(static l => l != "Orders/0.1.0").Order(StringComparer.Ordinal);

    private static IEnumerable<string> Components(byte[] sbom)
    {
        var bom = JsonNode.Parse(sbom)!;
        Assert.Equal("CycloneDX", bom["bomFormat"]!.GetValue<string>());
        return bom["components"]!.AsArray().Select(static c => $"{c!["name"]}/{c["version"]}").Order(StringComparer.Ordinal);
    }

    private static bool IsCompiledAhead(byte[] assembly)
    {
        using var file = new PEReader(new MemoryStream(assembly));
        return file.PEHeaders.CorHeader!.ManagedNativeHeaderDirectory.Size > 0;
    }
}
