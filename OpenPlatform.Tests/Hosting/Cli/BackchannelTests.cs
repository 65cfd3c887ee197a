using System.Text.Json;
using Aspire.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace OpenPlatform.Tests.Hosting.Cli;

/// <summary>An AppHost as the command-line tool has it: started with a socket, told what to do over it.</summary>
public sealed class BackchannelTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("backchannel");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_publishing_AppHost_tells_its_activities_and_stays_until_it_is_asked_to_stop()
    {
        await File.WriteAllTextAsync(SocketPath, "left over", Cancel);
        await using var application = await StartPublishingAsync();
        using (var client = await RpcClient.ConnectAsync(SocketPath))
        {
            Assert.Contains("baseline.v2", (await client.CallAsync("GetCapabilitiesAsync")).GetProperty("result").EnumerateArray().Select(c => c.GetString()));
            var token = (await client.CallAsync("GetPublishingActivitiesAsync")).GetProperty("result").GetProperty("token").GetInt32();
            var activities = new List<JsonElement>();
            for (var finished = false; !finished;)
            {
                var part = (await client.CallAsync("$/enumerator/next", $"[{token}]")).GetProperty("result");
                activities.AddRange(part.GetProperty("values").EnumerateArray());
                finished = part.GetProperty("finished").GetBoolean();
            }
            Assert.Equal("step", activities[0].GetProperty("Type").GetString());
            Assert.Equal("InProgress", activities[0].GetProperty("Data").GetProperty("CompletionState").GetString());
            Assert.Equal("publish-complete", activities[^1].GetProperty("Type").GetString());
            Assert.Equal("Completed", activities[^1].GetProperty("Data").GetProperty("CompletionState").GetString());
            Assert.True(File.Exists(Path.Combine(_folder.FullName, "out", "aspire-manifest.json")));

            Assert.False((await client.CallAsync("GetDashboardUrlsAsync")).GetProperty("result").GetProperty("DashboardHealthy").GetBoolean());
            Assert.Equal(-32601, (await client.CallAsync("GetPipelineStepsAsync")).GetProperty("error").GetProperty("code").GetInt32());
            Assert.False(Stopping(application).IsCancellationRequested);
            Assert.Equal(JsonValueKind.Null, (await client.CallAsync("RequestStopAsync")).GetProperty("result").ValueKind);
        }
        await application.WaitForShutdownAsync(Cancel);
        await application.DisposeAsync();
        Assert.False(File.Exists(SocketPath));
    }

    [Fact]
    public async Task An_AppHost_whose_tool_was_killed_stops_by_itself()
    {
        await using var application = await StartPublishingAsync();
        (await RpcClient.ConnectAsync(SocketPath)).Dispose();
        await application.WaitForShutdownAsync(Cancel).WaitAsync(TimeSpan.FromSeconds(20), Cancel);
    }

    [Fact]
    public async Task A_socket_that_cannot_be_listened_on_is_named()
    {
        var path = Path.Combine(_folder.FullName, new string('x', 200));
        await using var application = Build(path);
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => application.StartAsync(Cancel));
        Assert.Contains($"ASPIRE_BACKCHANNEL_PATH={path}", error.Message, StringComparison.Ordinal);
    }

    private string SocketPath => Path.Combine(_folder.FullName, "s");
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static CancellationToken Stopping(DistributedApplication application) => application.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;

    private DistributedApplication Build(string socket)
    {
        var builder = DistributedApplication.CreateBuilder(
            ["--operation", "publish", "--step", "publish", "--output-path", Path.Combine(_folder.FullName, "out"), $"--ASPIRE_BACKCHANNEL_PATH={socket}"]);
        builder.AddExecutable("orders", "orders", ".");
        return builder.Build();
    }

    private async Task<DistributedApplication> StartPublishingAsync()
    {
        var application = Build(SocketPath);
        await application.StartAsync(Cancel);
        return application;
    }
}
