using System.Diagnostics;
using System.Net;
using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Fixtures.Containers;

/// <summary>
/// Images of the platform's services in a test's engine, made by <c>dotnet publish -t:PublishContainer</c>: on a base image of this machine's own
/// runtime, which a registry on the loopback serves.
/// </summary>
internal sealed class ServiceImages(ContainerEngine engine)
{
    public const string Edge = "haproxy:test";

    /// <param name="projects">Project → name of its image, such as <c>openplatform/gateway</c>.</param>
    public async Task BuildAsync(string tag, IReadOnlyDictionary<string, string> projects, params string[] properties)
    {
        if (!File.Exists("/usr/bin/docker-registry"))
        {
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", "docker-registry is not installed.");
            Assert.Skip("docker-registry is not installed. Debian, Ubuntu: apt-get install docker-registry");
        }

        var folder = Directory.CreateTempSubdirectory("openplatform-registry-");
        var port = FreePort.Next();
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "config.yml"), $"""
            version: 0.1
            log: {"{"} level: error {"}"}
            storage: {"{"} filesystem: {"{"} rootdirectory: {folder.FullName}/data {"}"} {"}"}
            http: {"{"} addr: "127.0.0.1:{port}" {"}"}
            """);
        using var registry = Process.Start(new ProcessStartInfo("/usr/bin/docker-registry", ["serve", Path.Combine(folder.FullName, "config.yml")]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        registry.OutputDataReceived += static (_, _) => { };
        registry.ErrorDataReceived += static (_, _) => { };
        registry.BeginOutputReadLine();
        registry.BeginErrorReadLine();
        try
        {
            using var http = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
            await Eventually.TrueAsync(async () =>
            {
                try
                {
                    return (await http.GetAsync("/v2/")).StatusCode == HttpStatusCode.OK;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            });
            var baseImage = $"localhost:{port}/dotnet/aspnet:10.0";
            var dotnet = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "..", "..", ".."));
            await engine.RunAsync("sh", Path.Combine(Repository.Root, "OpenPlatform.Tests/Fixtures/Containers/build-service-base.sh"), dotnet, $"{Environment.Version}", baseImage, Edge);
            await engine.RunAsync("docker", "push", "--quiet", baseImage);
            foreach (var (project, image) in projects)
            {
                await engine.RunAsync("dotnet", ["publish", Path.Combine(Repository.Root, project), "--no-build", "--configuration", Configuration, "-t:PublishContainer", "-v", "q", "-nologo",
                    $"-p:ContainerBaseImage={baseImage}", $"-p:ContainerRepository={image}", $"-p:ContainerImageTag={tag}", .. properties]);
            }
        }
        finally
        {
            registry.Kill();
            await registry.WaitForExitAsync();
            folder.Delete(recursive: true);
        }
    }

    /// <summary>That of the tests, whose build made the services too.</summary>
    private static string Configuration => new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
}
