using System.Diagnostics;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Hosting.Dashboard;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Hosting.Dashboard;

/// <summary>The real dashboard process over an application model that a test fills by hand: no orchestrator, so a test decides every state.</summary>
internal sealed class DashboardRun : IAsyncDisposable
{
    private readonly DistributedApplication _application;
    private readonly Process _process;
    private readonly HttpClient _http = new(new HttpClientHandler { AllowAutoRedirect = false });

    private DashboardRun(DistributedApplication application, Process process, ExecutableResource resource) =>
        (_application, _process, Resource) = (application, process, resource);

    internal IServiceProvider Services => _application.Services;
    internal ExecutableResource Resource { get; }
    internal DashboardSettings Settings => Services.GetRequiredService<DashboardSettings>();
    internal ResourceNotificationService Notifications => _application.ResourceNotifications;
    internal ResourceLoggerService Loggers => Services.GetRequiredService<ResourceLoggerService>();

    internal static async Task<DashboardRun> StartAsync(Action<IDistributedApplicationBuilder> model, params string[] settings)
    {
        var builder = DistributedApplication.CreateBuilder(["--DcpPublisher:RandomizePorts=true", "--environment=Development", .. settings]);
        model(builder);
        var application = builder.Build();
        var cancellationToken = TestContext.Current.CancellationToken;
        var resources = application.Services.GetRequiredService<DistributedApplicationModel>();
        await application.Services.GetServices<IDistributedApplicationEventingSubscriber>().OfType<DashboardResource>().Single()
            .SubscribeAsync(builder.Eventing, builder.ExecutionContext, cancellationToken);
        await builder.Eventing.PublishAsync(new BeforeStartEvent(application.Services, resources), cancellationToken);

        var dashboard = Assert.IsType<ExecutableResource>(resources.Resources[0]);
        var start = new ProcessStartInfo(dashboard.Command) { WorkingDirectory = dashboard.WorkingDirectory, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        var environment = new EnvironmentCallbackContext(builder.ExecutionContext, dashboard);
        foreach (var callback in dashboard.Annotations.OfType<EnvironmentCallbackAnnotation>())
        {
            await callback.Callback(environment);
        }
        foreach (var (name, value) in environment.EnvironmentVariables)
        {
            start.Environment[name] = (string)value;
        }
        var arguments = new CommandLineArgsCallbackContext([], dashboard);
        foreach (var callback in dashboard.Annotations.OfType<CommandLineArgsCallbackAnnotation>())
        {
            await callback.Callback(arguments);
        }
        foreach (var argument in arguments.Args)
        {
            start.ArgumentList.Add((string)argument);
        }

        var process = Process.Start(start)!;
        var log = application.Services.GetRequiredService<ResourceLoggerService>();
        process.OutputDataReceived += (_, line) => log.Append(DashboardResource.Name, line.Data ?? "", isError: false);
        process.ErrorDataReceived += (_, line) => log.Append(DashboardResource.Name, line.Data ?? "", isError: true);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var run = new DashboardRun(application, process, dashboard);
        var check = application.Services.GetRequiredService<DashboardHealthCheck>();
        await Eventually.TrueAsync(async () => (await check.CheckHealthAsync(new(), cancellationToken)).Status == Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy,
            TimeSpan.FromSeconds(60), "the dashboard answers");
        return run;
    }

    /// <summary>Status of a GET without any key or cookie, or with the given header.</summary>
    internal async Task<(int Status, string Body, string? Location)> GetAsync(string url, string? header = null, string? value = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        if (header is not null)
        {
            request.Headers.Add(header, value);
        }
        using var answer = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), answer.Headers.Location?.ToString());
    }

    internal async Task<int> PostAsync(string url, string json, string? header, string? value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new StringContent(json, System.Text.Encoding.UTF8, "application/json") };
        if (header is not null)
        {
            request.Headers.Add(header, value);
        }
        using var answer = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        return (int)answer.StatusCode;
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        await _application.DisposeAsync();
    }
}
