using System.Net.Sockets;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Fixtures.Containers;

namespace OpenPlatform.Tests.Hosting.Orchestration;

/// <summary>Containers on a real engine, as resources.</summary>
public sealed class ContainerTests(ContainerEngine engine) : IClassFixture<ContainerEngine>
{
    private const string Image = "redis:8.6";

    [Fact]
    public async Task Containers_have_endpoints_environment_arguments_mounts_logs_and_each_others_names()
    {
        using var host = new DockerHost(engine.Host);
        using var folder = new MountedFolder("config", "databases 3\nprotected-mode no\n");
        await using var run = await RunningApplication.StartAsync(builder =>
        {
            var primary = builder.AddContainer("primary", Image)
                .WithEndpoint(targetPort: 6379, name: "tcp")
                .WithBindMount(folder.Path, "/mounted", isReadOnly: true)
                .WithEnvironment("GREETING", "hello of the model")
                .WithEntrypoint("/bin/sh")
                .WithArgs("-c", "echo \"$GREETING\"; exec redis-server /mounted/config");
            builder.AddContainer("replica", Image)
                .WithArgs("redis-server", "--replicaof", "primary", "6379")
                .WaitFor(primary);
        });
        await run.States.WaitForResourceAsync("replica", KnownResourceStates.Running, TestContext.Current.CancellationToken);

        var primary = run.Replicas("primary").Single().Id;
        await Eventually.TrueAsync(async () => (await run.LogAsync(primary)).Contains("Synchronization with replica", StringComparison.Ordinal), TimeSpan.FromSeconds(30));
        Assert.Contains("hello of the model", await run.LogAsync(primary), StringComparison.Ordinal);
        var endpoint = new Uri(((IResourceWithEndpoints)run.Model("primary")).GetEndpoint("tcp").Url);
        Assert.Contains("$1\r\n3", await AskAsync(endpoint, "CONFIG GET databases\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_container_is_stopped_started_and_restarted_by_its_commands()
    {
        using var host = new DockerHost(engine.Host);
        await using var run = await RunningApplication.StartAsync(builder => builder.AddContainer("cache", Image).WithEndpoint(targetPort: 6379, name: "tcp"));
        await run.States.WaitForResourceAsync("cache", KnownResourceStates.Running, TestContext.Current.CancellationToken);
        var before = await engine.DockerAsync("ps", "--quiet");

        await run.CommandAsync(run.Replicas("cache").Single().Id, KnownResourceCommands.StopCommand);
        Assert.Empty(await engine.DockerAsync("ps", "--quiet"));
        await run.CommandAsync(run.Replicas("cache").Single().Id, KnownResourceCommands.StartCommand);
        await run.States.WaitForResourceAsync("cache", KnownResourceStates.Running, TestContext.Current.CancellationToken);

        Assert.NotEqual(before, await engine.DockerAsync("ps", "--quiet"));
    }

    [Fact]
    public async Task An_image_that_is_not_there_is_named()
    {
        using var host = new DockerHost(engine.Host);
        await using var run = await RunningApplication.StartAsync(builder => builder.AddContainer("nothing", "localhost:9/no-such-image").WithImageTag("1"));

        await run.States.WaitForResourceAsync("nothing", KnownResourceStates.FailedToStart, TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(async () => (await run.LogAsync(run.Replicas("nothing").Single().Id)).Contains("no-such-image", StringComparison.Ordinal));
    }

    private static async Task<string> AskAsync(Uri address, string command)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port, TestContext.Current.CancellationToken);
        await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(command), TestContext.Current.CancellationToken);
        var buffer = new byte[256];
        var count = await client.GetStream().ReadAtLeastAsync(buffer, "*2\r\n$9\r\ndatabases\r\n$1\r\n3\r\n".Length, throwOnEndOfStream: false, TestContext.Current.CancellationToken);
        return System.Text.Encoding.ASCII.GetString(buffer, 0, count);
    }

    /// <summary>DCP finds the engine by this process's environment, as the docker tool does.</summary>
    private sealed class DockerHost : IDisposable
    {
        private const string Variable = "DOCKER_HOST";

        private readonly string? _before = Environment.GetEnvironmentVariable(Variable);

        public DockerHost(string host) => Environment.SetEnvironmentVariable(Variable, host);

        public void Dispose() => Environment.SetEnvironmentVariable(Variable, _before);
    }

    private sealed class MountedFolder : IDisposable
    {
        public MountedFolder(string file, string content) => File.WriteAllText(System.IO.Path.Combine(Path, file), content);

        public string Path { get; } = Directory.CreateTempSubdirectory("openplatform-mounted-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
