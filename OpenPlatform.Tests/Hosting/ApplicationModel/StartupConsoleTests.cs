using System.Text.RegularExpressions;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Hosting.ApplicationModel;

public sealed partial class StartupConsoleTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_line_for_every_change_that_means_something()
    {
        var builder = Apps.Running();
        var pg = builder.AddContainer("postgres", "image").WithHealthCheck("check").Resource;
        var orders = builder.AddContainer("orders", "image").Resource;
        orders.Annotations.Add(new ResourceInstancesAnnotation { Instances = [.. new[] { "orders-aaaa", "orders-bbbb" }.Select(id => new ResourceInstance(id, new Dictionary<string, Uri>()))] });
        var hidden = builder.AddContainer("dashboard", "image").WithHidden().Resource;
        await using var app = builder.Build();
        var lines = new StringWriter();
        var console = new StartupConsole(app.ResourceNotifications, app.Services.GetRequiredService<DistributedApplicationModel>(), TimeProvider.System) { Output = TextWriter.Synchronized(lines) };
        await console.StartAsync(Stop);
        Task Show(IResource resource, Func<CustomResourceSnapshot, CustomResourceSnapshot> change, string? id = null) => app.ResourceNotifications.PublishUpdateAsync(resource, id ?? resource.ResourceIds()[0], change);

        await Show(hidden, s => s with { State = KnownResourceStates.Running });
        await Show(pg, s => s with { State = "Downloading 37 %" });
        await Eventually.TrueAsync(() => lines.ToString().Contains("37 %", StringComparison.Ordinal)); // from here on every change is seen by itself
        await Show(pg, s => s with { State = "Downloading 37 %", Urls = [new("u", "http://x", IsInternal: false)] }); // nothing new
        await Show(pg, s => s with { State = KnownResourceStates.Starting });
        await Show(orders, s => s with { State = KnownResourceStates.Waiting, Properties = s.Properties.Set(KnownProperties.WaitingFor, new[] { "postgres" }) });
        await Show(pg, s => s with { State = KnownResourceStates.Running });
        await Show(pg, s => s with { HealthReports = [new("check", HealthStatus.Healthy, null, null)] });
        await Show(pg, s => s with { HealthReports = [new("check", HealthStatus.Unhealthy, null, null)] });
        await Show(orders, s => s with { State = KnownResourceStates.Running });
        await Show(orders, s => s with { State = "Crashed with exit code 3, restarting in 1 s", ExitCode = 3 });
        await Show(orders, s => s with { State = KnownResourceStates.FailedToStart, ExitCode = null, Properties = s.Properties.Set(KnownProperties.StateReason, "no such file") }, "orders-bbbb");
        await Show(pg, s => s with { State = KnownResourceStates.Exited, ExitCode = 0 });

        string Told() => Seconds().Replace(lines.ToString().ReplaceLineEndings("\n"), "N s");
        await Eventually.TrueAsync(() => Told().EndsWith("postgres  finished\n", StringComparison.Ordinal));
        await console.StopAsync(Stop);
        Assert.Equal("""
            postgres  downloading 37 %
            postgres  starting
            orders/aaaa  waiting for postgres
            postgres  healthy after N s
            postgres  unhealthy
            orders/aaaa  running after N s
            orders/aaaa  crashed with exit code 3, restarting in 1 s
            orders/bbbb  failed to start: no such file
            postgres  finished

            """.ReplaceLineEndings("\n"), Told());
    }

    [GeneratedRegex(@"\d+\.\d s", RegexOptions.NonBacktracking)]
    private static partial Regex Seconds();
}
