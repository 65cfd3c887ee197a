using System.Net;
using System.Net.Http.Json;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Fixtures.Containers;

namespace OpenPlatform.Tests.EndToEnd;

/// <summary>Where a container engine is healthy, Postgres and Redis are containers, and nothing of them stays behind either.</summary>
[Collection(AppHostProcess.Collection)]
public sealed class ContainerTests(ContainerEngine engine) : IClassFixture<ContainerEngine>
{
    /// <summary>The engine takes its time to stop a container; without containers it is half of this.</summary>
    private static readonly TimeSpan Gone = TimeSpan.FromSeconds(30);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task With_a_container_engine_the_same_command_runs_Postgres_and_Redis_in_containers_and_a_killed_AppHost_leaves_none()
    {
        var host = engine.Host;
        await using var platform = AppHostProcess.Start(start =>
        {
            start.Environment["DOCKER_HOST"] = host;
            start.Environment.Remove("OPENPLATFORM_LOCAL"); // a healthy engine is the default
        });
        await platform.UntilReadyAsync();

        var images = await engine.DockerAsync("ps", "--format", "{{.Image}}");
        Assert.Equal(["postgres:18.3", "redis:8.6"], images.Order());
        Assert.DoesNotContain(platform.Marks.Alive(), static p => p.Command.Contains("redis-server", StringComparison.Ordinal));
        using var client = new HttpClient { BaseAddress = platform.Gateway, DefaultRequestHeaders = { { "X-Api-Key", platform.DemoKey } } };
        using (var answer = await client.GetAsync("/orders/v1/orders", Stop))
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        Signal.Send(platform.AppHostId(), Signal.Kill);

        await platform.UntilGoneAsync(Gone);
        await Eventually.TrueAsync(async () => (await engine.DockerAsync("ps", "--all", "--quiet")).Length == 0, Gone);
        Assert.Empty(await engine.DockerAsync("volume", "ls", "--quiet"));
        Assert.DoesNotContain(await engine.DockerAsync("network", "ls", "--format", "{{.Name}}"), static name => name.StartsWith("openplatform", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Data_of_a_container_is_kept_in_a_named_volume()
    {
        var host = engine.Host;
        using var folder = new TemporaryData();
        void Configure(System.Diagnostics.ProcessStartInfo start)
        {
            start.Environment["DOCKER_HOST"] = host;
            start.Environment["OPENPLATFORM_DATA"] = folder.Path;
            foreach (var secret in (string[])["postgres-password", "redis-password", "key-pepper", "admin-token", "demo-key", "service-token", "gateway-lease-key", "orders-lease-key"])
            {
                start.Environment[$"Parameters__{secret}"] = $"{secret}-of-this-test"; // or it would be kept in the user's secrets
            }

            start.Environment["Parameters__envelope-key"] = new string('k', 43);
        }

        var organization = $"kept-{Guid.NewGuid():N}";
        for (var run = 0; run < 2; run++)
        {
            await using var platform = AppHostProcess.Start(Configure);
            await platform.UntilReadyAsync();
            using var catalog = new HttpClient
            {
                BaseAddress = new($"http://localhost:{platform.CatalogPort}"), DefaultRequestHeaders = { { "Authorization", $"Bearer {platform.AdminToken}" } },
            };
            if (run == 0)
            {
                using var created = await catalog.PostAsJsonAsync("/admin/v1/organizations", new { name = organization }, Stop);
                Assert.Equal(HttpStatusCode.Created, created.StatusCode);
            }

            Assert.Contains(organization, await catalog.GetStringAsync("/admin/v1/organizations", Stop), StringComparison.Ordinal);

            Signal.Send(platform.AppHostId(), Signal.Terminate);
            await platform.UntilGoneAsync(Gone);
            Assert.Empty(await engine.DockerAsync("ps", "--all", "--quiet"));
        }

        Assert.Equal(2, (await engine.DockerAsync("volume", "ls", "--quiet")).Count(static name => name.StartsWith("openplatform", StringComparison.Ordinal)));
        await engine.DockerAsync(["volume", "rm", .. await engine.DockerAsync("volume", "ls", "--quiet")]);
    }

    /// <summary>A data folder that Postgres may pass through.</summary>
    private sealed class TemporaryData : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("openplatform-kept-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
