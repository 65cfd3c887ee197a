using System.Net;
using OpenPlatform.Tests.Catalog;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Fixtures.Containers;

namespace OpenPlatform.Tests.Hosting.Publishing.Compose;

/// <summary>The published Compose file, brought up on a real engine from images that the same command built.</summary>
public sealed class ComposeRunTests(ContainerEngine engine) : IClassFixture<ContainerEngine>, IDisposable
{
    private const string Tag = "test";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("openplatform-compose-");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string Deployment => Path.Combine(_folder.FullName, "compose");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task It_comes_up_answers_a_keyed_call_does_not_notice_killed_replicas_and_leaves_nothing()
    {
        Assert.SkipUnless(File.Exists("/usr/libexec/docker/cli-plugins/docker-compose") || Environment.GetEnvironmentVariable("CI") == "true", "docker compose is not installed.");
        _ = engine.Host; // skips where no engine runs
        await using (var registry = await ImageRegistry.StartAsync())
        {
            await engine.RunAsync("dotnet", Path.Combine(AppContext.BaseDirectory, "OpenPlatform.AppHost.dll"), "--operation", "publish", "--step", "build", "--environment-name", "compose",
                "--output-path", _folder.FullName, "--image-tag", Tag, "--image-base", await ServiceBase.PushAsync(engine, registry), $"--Compose:EdgeImage={ServiceBase.Edge}");
        }

        await engine.RunAsync("sh", Path.Combine(Deployment, "secrets.sh"));
        var (gatewayPort, catalogPort) = (FreePort.Next(), FreePort.Next());
        await File.WriteAllTextAsync(Path.Combine(Deployment, ".env"), $"GATEWAY_PORT={gatewayPort}\nCATALOG_PORT={catalogPort}\n", Stop);
        await ComposeAsync("config", "-q");
        try
        {
            await ComposeAsync("up", "--detach", "--wait", "--wait-timeout", "180");
            using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{gatewayPort}") };
            using (var catalog = new HttpClient { BaseAddress = new($"http://127.0.0.1:{catalogPort}") })
            {
                var token = await File.ReadAllTextAsync(Path.Combine(Deployment, "secrets", "values", "admin-token"), Stop);
                catalog.DefaultRequestHeaders.Authorization = new("Bearer", token);
                client.DefaultRequestHeaders.Add("X-Api-Key", await SubscribeAsync(catalog));
            }

            await Eventually.TrueAsync(async () => await StatusAsync(client) == HttpStatusCode.OK, TimeSpan.FromSeconds(30));
            await NobodyNoticesAsync(client, async () =>
            {
                foreach (var service in new[] { "gateway", "orders" })
                {
                    var replica = (await ComposeAsync("ps", "--quiet", service)).Split('\n', StringSplitOptions.RemoveEmptyEntries)[0];
                    await engine.RunAsync("docker", "kill", replica);
                }
            });
        }
        catch (Exception exception)
        {
            throw new InvalidOperationException($"{exception.Message}\n{await ComposeAsync("ps", "--all")}\n{await ComposeAsync("logs", "--tail", "40")}", exception);
        }
        finally
        {
            await ComposeAsync("down", "--volumes", "--timeout", "40");
        }

        Assert.Empty(await engine.DockerAsync("ps", "--all", "--quiet"));
        Assert.Empty(await engine.DockerAsync("volume", "ls", "--quiet"));
        Assert.DoesNotContain(await engine.DockerAsync("network", "ls", "--format", "{{.Name}}"), static name => name.Contains("inside", StringComparison.Ordinal) || name.Contains("outside", StringComparison.Ordinal));
    }

    /// <summary>What an operator does first: everything from a backend to a key.</summary>
    private static async Task<string> SubscribeAsync(HttpClient admin)
    {
        var backend = await admin.CreateAsync("backends", new { name = "orders", service = "orders" });
        var api = await admin.CreateAsync("apis", new
        {
            name = "orders", version = "v1", basePath = "/orders/v1", backendId = backend.Id(),
            operations = new[] { new { operationId = "list", method = "GET", pathTemplate = "/orders" } },
        });
        var plan = await admin.CreateAsync("plans", new { name = "standard", approvalRequired = false, rateLimits = new[] { new { requests = 1_000_000, windowSeconds = 60 } } });
        var organization = await admin.CreateAsync("organizations", new { name = "Acme" });
        var application = await admin.CreateAsync("applications", new { organizationId = organization.Id(), name = "shop" });
        await admin.CreateAsync("subscriptions", new { applicationId = application.Id(), versionId = api["versions"]![0]!.Id(), planId = plan.Id() });
        return (await admin.CreateAsync("credentials", new { applicationId = application.Id() }))["key"]!.GetValue<string>();
    }

    /// <summary>Calls without pause before, while and after something happens; each must be answered with 200.</summary>
    private static async Task NobodyNoticesAsync(HttpClient client, Func<Task> happening)
    {
        var done = false;
        var failed = new List<string>();
        var answered = 0;
        var load = Enumerable.Range(0, 4).Select(async _ =>
        {
            while (!Volatile.Read(ref done))
            {
                var status = await StatusAsync(client);
                Interlocked.Increment(ref answered);
                if (status != HttpStatusCode.OK)
                {
                    lock (failed)
                    {
                        failed.Add($"{status}");
                    }
                }
            }
        }).ToArray();
        await Eventually.TrueAsync(() => Volatile.Read(ref answered) > 200);
        await happening();
        var before = Volatile.Read(ref answered);
        await Eventually.TrueAsync(() => Volatile.Read(ref answered) > before + 1000, TimeSpan.FromSeconds(60));
        Volatile.Write(ref done, true);
        await Task.WhenAll(load);
        Assert.Empty(failed);
    }

    private static async Task<HttpStatusCode?> StatusAsync(HttpClient client)
    {
        try
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            return response.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private Task<string> ComposeAsync(params string[] arguments) => engine.RunAsync("docker", ["compose", "--project-directory", Deployment, "--file", Path.Combine(Deployment, "compose.yaml"), .. arguments]);
}
