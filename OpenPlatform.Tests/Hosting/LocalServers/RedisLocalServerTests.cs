using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using OpenPlatform.Hosting;

namespace OpenPlatform.Tests.Hosting.LocalServers;

/// <summary>Real servers, started as the AppHost starts them.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class RedisLocalServerTests : IDisposable
{
    private const string Password = "pa\"ss\\word=1";
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData("redis-server")]
    [InlineData("garnet")]
    public async Task Starts_refuses_a_wrong_password_and_keeps_data_when_asked(string choice)
    {
        Assert.SkipWhen(choice == "redis-server" && Tool.Find("redis-server") is null, "redis-server is not on the PATH.");
        var resource = new RedisResource("cache", new ParameterResource("cache-password", _ => Password, secret: true));
        resource.Annotations.Add(new PersistenceAnnotation(interval: null, keysChangedThreshold: 1));
        await using (var server = await RunningServer.StartAsync(new RedisLocalServer(resource, choice), resource, _folder))
        {
            await server.HealthyAsync(Check(server, Password));
            var refused = await Check(server, "wrong").CheckHealthAsync(new(), TestContext.Current.CancellationToken);
            Assert.Equal(HealthStatus.Unhealthy, refused.Status);
            Assert.Contains("refuses the login", refused.Description, StringComparison.Ordinal);
            Assert.DoesNotContain("word", server.CommandLines(), StringComparison.Ordinal);
            Assert.All(Directory.GetFiles(_folder, "*.conf").Concat(Directory.GetFiles(_folder, "*.json")),
                file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file)));
            Assert.Equal("+OK", await AskAsync(server, "SET kept 1"));
            Assert.Equal(":1", await AskAsync(server, "EVAL \"return 1\" 0"));
            await server.StopAsync();
        }

        await using (var again = await RunningServer.StartAsync(new RedisLocalServer(resource, choice), resource, _folder))
        {
            await again.HealthyAsync(Check(again, Password));
            Assert.Equal("$1", await AskAsync(again, "GET kept"));
            await again.StopAsync();
        }
    }

    [Fact]
    public void Garnet_has_the_version_of_the_tool_manifest()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, ".config", "dotnet-tools.json")))
        {
            folder = folder.Parent;
        }

        using var manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder!.FullName, ".config", "dotnet-tools.json")));
        Assert.Equal(GarnetTool.Version, manifest.RootElement.GetProperty("tools").GetProperty("garnet-server").GetProperty("version").GetString());
    }

    public void Dispose() => _folder.Dispose();

    private static RedisHealthCheck Check(RunningServer server, string password) => new(_ => new($"localhost:{server.Port},password={password}"));

    /// <summary>First line of the answer to an inline command.</summary>
    private static async Task<string?> AskAsync(RunningServer server, string command)
    {
        using var client = new TcpClient("127.0.0.1", server.Port);
        using var reader = new StreamReader(client.GetStream());
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"*2\r\n$4\r\nAUTH\r\n${Password.Length}\r\n{Password}\r\n"), TestContext.Current.CancellationToken);
        Assert.Equal("+OK", await reader.ReadLineAsync(TestContext.Current.CancellationToken));
        var words = command.Split('"') is [var before, var quoted, var after] ? [.. before.Trim().Split(' '), quoted, .. after.Trim().Split(' ')] : command.Split(' ');
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"*{words.Length}\r\n{string.Concat(words.Select(w => $"${w.Length}\r\n{w}\r\n"))}"), TestContext.Current.CancellationToken);
        return await reader.ReadLineAsync(TestContext.Current.CancellationToken);
    }
}
