using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Tests.Hosting.ApplicationModel;

/// <summary>When a resource that waits may start, told by the states its dependency goes through.</summary>
public sealed class WaitTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WaitFor_goes_on_when_the_dependency_is_healthy_and_its_ready_event_has_run()
    {
        await using var scene = new Scene((waiter, dependency) => waiter.WaitFor(dependency), healthCheck: true);
        var waiting = scene.WaitAsync();
        Assert.Equal(KnownResourceStates.Waiting, scene.State("waiter"));
        Assert.Equal("dependency", Assert.Single(scene.WaitingFor()!));

        await scene.PublishAsync(s => s with { State = KnownResourceStates.Running });
        await scene.PublishAsync(s => s with { HealthReports = [new("check", Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy, null, null)] });
        Assert.False(waiting.IsCompleted);
        var subscribers = new TaskCompletionSource();
        await scene.PublishAsync(s => s with { ResourceReadyEvent = new(subscribers.Task) });
        Assert.False(waiting.IsCompleted);
        subscribers.SetResult();

        await waiting.WaitAsync(TimeSpan.FromSeconds(5), Stop);
        Assert.Null(scene.WaitingFor());
    }

    [Fact]
    public async Task WaitForStart_does_not_ask_for_health()
    {
        await using var scene = new Scene((waiter, dependency) => waiter.WaitForStart(dependency), healthCheck: true);
        var waiting = scene.WaitAsync();
        await scene.PublishAsync(s => s with { State = KnownResourceStates.Running });
        await waiting.WaitAsync(TimeSpan.FromSeconds(5), Stop);
    }

    [Theory]
    [InlineData("FailedToStart")]
    [InlineData("Exited")]
    [InlineData("Finished")]
    [InlineData("RuntimeUnhealthy")]
    public async Task A_dependency_that_failed_ends_the_wait(string state)
    {
        await using var scene = new Scene((waiter, dependency) => waiter.WaitFor(dependency));
        var waiting = scene.WaitAsync();
        await scene.PublishAsync(s => s with { State = state });
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(5), Stop));
        Assert.Contains($"'waiter' does not start: it waits for 'dependency', but that is {state}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_dependency_that_failed_ends_the_wait_for_all()
    {
        await using var scene = new Scene((waiter, dependency) => waiter.WaitFor(dependency).WaitFor(waiter.ApplicationBuilder.AddContainer("never", "image")));
        var waiting = scene.WaitAsync();
        await scene.PublishAsync(s => s with { State = KnownResourceStates.FailedToStart });
        await Assert.ThrowsAsync<DistributedApplicationException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(5), Stop));
        Assert.Null(scene.WaitingFor());
    }

    [Fact]
    public void With_a_dashboard_waiting_goes_on_by_default_and_without_one_it_stops()
    {
        WaitBehavior Default(bool dashboard)
        {
            using var app = new DistributedApplicationBuilder(new DistributedApplicationOptions { DisableDashboard = !dashboard, AssemblyName = "OpenPlatform.Tests" }).Build();
            return app.ResourceNotifications.DefaultWaitBehavior;
        }
        Assert.Equal(WaitBehavior.WaitOnResourceUnavailable, Default(dashboard: true));
        Assert.Equal(WaitBehavior.StopOnResourceUnavailable, Default(dashboard: false));
    }

    [Fact]
    public async Task With_WaitOnResourceUnavailable_a_dependency_that_failed_may_come_back()
    {
        await using var scene = new Scene((waiter, dependency) => waiter.WaitForStart(dependency, WaitBehavior.WaitOnResourceUnavailable));
        var waiting = scene.WaitAsync();
        await scene.PublishAsync(s => s with { State = KnownResourceStates.Exited });
        await scene.PublishAsync(s => s with { State = KnownResourceStates.Running });
        await waiting.WaitAsync(TimeSpan.FromSeconds(5), Stop);
    }

    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(3, 3, true)]
    [InlineData(0, 1, false)]
    public async Task WaitForCompletion_wants_the_right_exit_code(int wanted, int got, bool goesOn)
    {
        await using var scene = new Scene((waiter, dependency) => waiter.WaitForCompletion(dependency, wanted));
        var waiting = scene.WaitAsync();
        await scene.PublishAsync(s => s with { State = KnownResourceStates.Running });
        Assert.False(waiting.IsCompleted);
        await scene.PublishAsync(s => s with { State = KnownResourceStates.Finished, ExitCode = got });
        var error = await Record.ExceptionAsync(() => waiting.WaitAsync(TimeSpan.FromSeconds(5), Stop));
        Assert.Equal(goesOn, error is null);
        if (!goesOn)
        {
            Assert.Contains($"with exit code {wanted}, but that is Finished with exit code {got}", Assert.IsType<DistributedApplicationException>(error).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Every_replica_of_a_dependency_is_waited_for()
    {
        await using var scene = new Scene((waiter, dependency) => waiter.WaitForStart(dependency), replicas: ["dependency-a", "dependency-b"]);
        var waiting = scene.WaitAsync();
        await scene.PublishAsync("dependency-a", s => s with { State = KnownResourceStates.Running });
        await Fixtures.Eventually.TrueAsync(() => scene.WaitingFor() is ["dependency-b"]);
        Assert.False(waiting.IsCompleted);
        await scene.PublishAsync("dependency-b", s => s with { State = KnownResourceStates.Running });
        await waiting.WaitAsync(TimeSpan.FromSeconds(5), Stop);
    }

    [Fact]
    public async Task A_wait_that_is_given_up_says_what_everybody_was_doing()
    {
        await using var scene = new Scene((waiter, dependency) => waiter.WaitFor(dependency), healthCheck: true);
        await scene.PublishAsync(s => s with { State = KnownResourceStates.Running, HealthReports = [new("check", Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Unhealthy, "no answer", null)] });
        using var impatient = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => scene.App.ResourceNotifications.WaitForResourceHealthyAsync("dependency", impatient.Token));
        Assert.Contains("'dependency' to become healthy was given up. It is Running, Unhealthy. Health check 'check': Unhealthy (no answer).", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Waiting_for_a_resource_that_does_not_exist_fails_at_once()
    {
        await using var scene = new Scene((waiter, _) => waiter);
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => scene.App.ResourceNotifications.WaitForResourceHealthyAsync("dependnecy", Stop));
        Assert.Contains("'dependnecy'", error.Message, StringComparison.Ordinal);
    }

    private sealed class Scene : IAsyncDisposable
    {
        private readonly IResource _waiter;
        private readonly IResource _dependency;

        internal Scene(Func<IResourceBuilder<ContainerResource>, IResourceBuilder<ContainerResource>, IResourceBuilder<ContainerResource>> wait, bool healthCheck = false, string[]? replicas = null)
        {
            var builder = Apps.Running();
            var dependency = builder.AddContainer("dependency", "image");
            if (healthCheck)
            {
                dependency.WithHealthCheck("check");
            }
            if (replicas is not null)
            {
                dependency.WithAnnotation(new ResourceInstancesAnnotation { Instances = [.. replicas.Select(r => new ResourceInstance(r, new Dictionary<string, Uri>()))] });
            }
            (_dependency, _waiter) = (dependency.Resource, wait(builder.AddContainer("waiter", "image"), dependency).Resource);
            App = builder.Build();
        }

        internal DistributedApplication App { get; }
        internal Task WaitAsync() => App.ResourceNotifications.WaitForDependenciesAsync(_waiter, Stop);
        internal Task PublishAsync(Func<CustomResourceSnapshot, CustomResourceSnapshot> change) => App.ResourceNotifications.PublishUpdateAsync(_dependency, change);
        internal Task PublishAsync(string id, Func<CustomResourceSnapshot, CustomResourceSnapshot> change) => App.ResourceNotifications.PublishUpdateAsync(_dependency, id, change);
        internal string? State(string name) => Snapshot(name)?.State?.Text;
        internal string[]? WaitingFor() => Snapshot("waiter")?.Properties.FirstOrDefault(p => p.Name == "resource.waitingFor")?.Value as string[];
        private CustomResourceSnapshot? Snapshot(string name) => App.ResourceNotifications.TryGetCurrentState(name, out var current) ? current.Snapshot : null;
        public ValueTask DisposeAsync() => App.DisposeAsync();
    }
}
