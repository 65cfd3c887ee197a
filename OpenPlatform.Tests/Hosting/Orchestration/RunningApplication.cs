using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Hosting;
using OpenPlatform.Hosting.Orchestration;

namespace OpenPlatform.Tests.Hosting.Orchestration;

/// <summary>A small application on the real orchestrator, without dashboard.</summary>
internal sealed class RunningApplication(DistributedApplication app) : IAsyncDisposable
{
    public DistributedApplication App => app;
    public ResourceNotificationService States => app.ResourceNotifications;

    public static async Task<RunningApplication> StartAsync(Action<IDistributedApplicationBuilder> build)
    {
        var running = new RunningApplication(Build(build));
        try
        {
            await running.App.StartAsync(TestContext.Current.CancellationToken);
            return running;
        }
        catch
        {
            await running.DisposeAsync();
            throw;
        }
    }

    public static DistributedApplication Build(Action<IDistributedApplicationBuilder> build)
    {
        var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions { DisableDashboard = true });
        build(builder);
        return builder.Build();
    }

    public IReadOnlyList<Replica> Replicas(string name) => app.Services.GetRequiredService<OrchestratorHost>().Find(name)!.Replicas;

    public IResource Model(string name) => app.Services.GetRequiredService<DistributedApplicationModel>().Resources.Single(r => r.Name == name);

    public Uri Address(string name) => new(((IResourceWithEndpoints)Model(name)).GetEndpoint("http").Url);

    public CustomResourceSnapshot Snapshot(string id) => States.TryGetCurrentState(id, out var now) ? now.Snapshot : throw new InvalidOperationException($"No state of {id}.");

    public async Task<string> LogAsync(string id)
    {
        var lines = new List<string>();
        await foreach (var batch in app.Services.GetRequiredService<ResourceLoggerService>().GetAllAsync(id))
        {
            lines.AddRange(batch.Select(l => l.Content));
        }

        return string.Join('\n', lines);
    }

    public async Task CommandAsync(string id, string command)
    {
        var result = await app.ResourceCommands.ExecuteCommandAsync(id, command, TestContext.Current.CancellationToken);
        Assert.True(result.Success, result.ErrorMessage);
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }

    public static bool IsAlive(int pid) => File.Exists($"/proc/{pid}/stat") && !File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal);
}

internal static class SmallApplications
{
    /// <summary>The Orders sample, as a project that is built already.</summary>
    public static IResourceBuilder<ProjectResource> AddOrders(this IDistributedApplicationBuilder builder, int replicas, int? port = null, string healthPath = "/health") =>
        builder.AddProject<OrdersProject>("orders", launchProfileName: null).WithHttpEndpoint(port).WithHttpHealthCheck(healthPath).WithReplicas(replicas);

    /// <summary>A shell script that counts as a project: it is restarted when it crashes.</summary>
    public static IResourceBuilder<ProjectResource> AddScriptProject(this IDistributedApplicationBuilder builder, string name, string script)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Needs a POSIX shell.");
        return builder.AddResource(new ProjectResource(name)).WithAnnotation(new BuiltProject("/bin/sh")).WithArgs("-c", script);
    }

    public static IResourceBuilder<ExecutableResource> AddShell(this IDistributedApplicationBuilder builder, string name, string script) =>
        builder.AddExecutable(name, "/bin/sh", "/", "-c", script);

    private sealed class OrdersProject() : BuiltProject(typeof(global::Orders.OrdersApp).Assembly.Location);

    private class BuiltProject(string target) : IBuiltProjectMetadata
    {
        public string TargetPath => target;
        public string ProjectPath => Path.ChangeExtension(target, ".csproj");
    }
}
