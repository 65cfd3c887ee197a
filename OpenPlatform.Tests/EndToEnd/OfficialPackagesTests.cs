using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using OpenPlatform.Tests.Architecture;
using OpenPlatform.Tests.Fixtures.Containers;

namespace OpenPlatform.Tests.EndToEnd;

/// <summary>
/// The same sources on Aspire's own packages: a copy of the repository, built with <c>UseAspirePackages=true</c>. Its orchestrator, dashboard, discovery, resilience and
/// Redis client are Aspire's; Postgres and Redis are containers, because Aspire runs them in no other way.
/// </summary>
[Collection(AppHostProcess.Collection)]
public sealed class OfficialPackagesTests(ContainerEngine engine) : IClassFixture<ContainerEngine>, IAsyncLifetime
{
    private readonly string _copy = Directory.CreateTempSubdirectory("op-official-").FullName;

    private string SecretsFolder => Path.Combine(_copy, "obj", "secrets");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _ = engine.Host;
        var files = await RunAsync("git", Repository.Root, "ls-files", "--cached", "--others", "--exclude-standard");
        foreach (var file in files.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(static file => !file.StartsWith("docs/", StringComparison.Ordinal) && File.Exists(Path.Combine(Repository.Root, file))))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_copy, file))!);
            File.Copy(Path.Combine(Repository.Root, file), Path.Combine(_copy, file));
        }

        // Without analyzers, which look at the same sources in every other build; and without a compiler that stays.
        await RunAsync("dotnet", _copy, "build", "OpenPlatform.AppHost", "-nologo", "-v", "quiet", "-nodeReuse:false", "-p:UseSharedCompilation=false", "-p:RunAnalyzers=false");
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_copy, recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task The_system_runs_on_Aspires_own_packages_and_its_manifest_is_the_one_we_publish()
    {
        await AnswersAKeyedCallAsync();
        await PublishesTheSameManifestAsync();
    }

    private async Task AnswersAKeyedCallAsync()
    {
        await using (var platform = AppHostProcess.Start(start =>
        {
            start.WorkingDirectory = _copy;
            start.Environment["UseAspirePackages"] = "true";
            start.Environment["DOCKER_HOST"] = engine.Host;
            start.Environment["APPDATA"] = SecretsFolder; // where .NET looks for the user's secrets first: Aspire keeps keys of its dashboard and parameters there
        }))
        {
            await platform.UntilReadyAsync();
            Assert.Contains("StackExchange.Redis.dll", Directory.EnumerateFiles(Path.Combine(_copy, "OpenPlatform.Gateway", "bin", "Debug", "net10.0")).Select(Path.GetFileName));
            Assert.Equal(["postgres:18.3", "redis:8.6"], (await engine.DockerAsync("ps", "--format", "{{.Image}}")).Order());
            using var client = new HttpClient { BaseAddress = platform.Gateway, DefaultRequestHeaders = { { "X-Api-Key", platform.DemoKey } } };
            using var answer = await client.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            using var dashboard = new HttpClient();
            using var login = await dashboard.GetAsync(platform.DashboardLogin, Stop);
            Assert.Equal(HttpStatusCode.OK, login.StatusCode);
        }

        await engine.DockerAsync(["volume", "rm", .. await engine.DockerAsync("volume", "ls", "--quiet")]);
    }

    private async Task PublishesTheSameManifestAsync()
    {
        var (official, ours) = (await ManifestAsync(_copy), await ManifestAsync(Repository.Root));
        var (theirRedis, ourRedis) = (official["resources"]!["redis"]!, ours["resources"]!["redis"]!);

        // Three things differ on purpose. Ours starts Redis in the place of the shell, which would not pass on the signal to stop.
        Assert.Equal("exec " + theirRedis["args"]![1], (string?)ourRedis["args"]![1]);
        theirRedis["args"]![1] = (string?)ourRedis["args"]![1];

        // A deployment finds the instances of orders by its network, so there they register nowhere and need no key.
        Assert.True(official["resources"]!["orders"]!["env"]!.AsObject().Remove("OpenPlatform__Leases__Key"));

        // Aspire asks whether Redis speaks TLS, and the answer is a value that is empty.
        var tls = official["resources"]!.AsObject().Single(static resource => resource.Key.StartsWith("cond-redis", StringComparison.Ordinal));
        Assert.Equal("", (string?)tls.Value!["connectionString"]);
        Assert.True(official["resources"]!.AsObject().Remove(tls.Key));
        theirRedis["connectionString"] = ((string?)theirRedis["connectionString"])!.Replace($"{{{tls.Key}.connectionString}}", "", StringComparison.Ordinal);

        Assert.Equal(Sorted(ours).ToJsonString(), Sorted(official).ToJsonString());
    }

    private static JsonNode Sorted(JsonNode node) => node switch
    {
        JsonObject members => new JsonObject(members.OrderBy(static member => member.Key, StringComparer.Ordinal).Select(static member => KeyValuePair.Create(member.Key, member.Value is null ? null : Sorted(member.Value)))),
        JsonArray items => new JsonArray([.. items.Select(static item => item is null ? null : Sorted(item))]),
        _ => node.DeepClone(),
    };

    /// <summary>Written beside the AppHost, so that the paths in it are the same.</summary>
    private async Task<JsonNode> ManifestAsync(string folder)
    {
        var file = Path.Combine(folder, "OpenPlatform.AppHost", "obj", "manifest-of-the-test.json");
        await RunAsync("dotnet", folder, "run", "--no-build", "--project", "OpenPlatform.AppHost", "--", "--publisher", "manifest", "--output-path", file);
        return JsonNode.Parse(await File.ReadAllTextAsync(file, Stop))!;
    }

    private async Task<string> RunAsync(string program, string folder, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
            Environment = { ["UseAspirePackages"] = folder == Repository.Root ? "false" : "true", ["APPDATA"] = SecretsFolder },
        })!;
        var errors = process.StandardError.ReadToEndAsync(Stop);
        var output = await process.StandardOutput.ReadToEndAsync(Stop);
        await process.WaitForExitAsync(Stop);
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {output}{await errors}");
        return output;
    }
}
