using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Playwright;
using OpenPlatform.Tests.Fixtures;
using static Microsoft.Playwright.Assertions;

namespace OpenPlatform.Tests.Hosting.Dashboard;

/// <summary>What a person sees: the real dashboard in a real browser.</summary>
public sealed class DashboardPageTests(ChromiumFixture chromium) : IClassFixture<ChromiumFixture>
{
    [Fact]
    public async Task Resources_states_logs_and_the_stop_button_work_in_the_browser()
    {
        var stopped = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        ExecutableResource orders = new("orders", "orders", "/");
        orders.Annotations.Add(new ResourceCommandAnnotation("stop", "Stop", _ => ResourceCommandState.Enabled, context =>
        {
            stopped.TrySetResult(context.ResourceName);
            return Task.FromResult(CommandResults.Success());
        }, null, null, null, "Stop", IconVariant.Filled, isHighlighted: true));
        await using var run = await DashboardRun.StartAsync(builder => builder.AddResource(orders));
        await run.Notifications.PublishUpdateAsync(orders, "orders-aaaaaaaa", s => s with
        {
            State = KnownResourceStates.Running,
            StartTimeStamp = DateTime.UtcNow,
            Urls = [new("http", "http://localhost:4711", IsInternal: false)],
            EnvironmentVariables = [new("COLOUR", "green", IsFromSpec: true)],
        });
        await run.Notifications.PublishUpdateAsync(orders, "orders-bbbbbbbb", s => s with
        {
            State = KnownResourceStates.Running,
            HealthReports = [new("ready", HealthStatus.Unhealthy, "no database", null)],
        });
        // A snapshot as careless as it can be must not take the others off the page.
        ExecutableResource careless = new("careless", "x", "/");
        await run.Notifications.PublishUpdateAsync(careless, s => new CustomResourceSnapshot
        {
            ResourceType = null!,
            Properties = [new(null!, null), new("twice", 1), new("TWICE", new object())],
            Urls = [new(null, null!, false) { DisplayProperties = null! }],
            EnvironmentVariables = [new(null!, null, false)],
            Volumes = default,
            Relationships = [new(null!, null!)],
            Commands = [new(null!, ResourceCommandState.Enabled, null!, null, null, null, null, null, false)],
        });
        await run.Notifications.PublishUpdateAsync(run.Resource, s => s with { State = KnownResourceStates.Running });
        run.Loggers.Append("orders-aaaaaaaa", "2026-01-02T03:04:05.678Z hello from orders", isError: false);

        var page = await chromium.NewPageAsync();
        await page.GotoAsync(run.Settings.LoginUrl);
        var running = page.GetByRole(AriaRole.Row).Filter(new() { HasText = "orders-aaaaaaaa" });
        await Expect(running).ToContainTextAsync("Running");
        await Expect(running).ToContainTextAsync("http://localhost:4711");
        await Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "orders-bbbbbbbb" })).ToContainTextAsync("Unhealthy");
        await Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "careless" })).ToHaveCountAsync(1);
        await Expect(page.GetByText("aspire-dashboard")).ToHaveCountAsync(0);

        // A change arrives without a reload.
        await run.Notifications.PublishUpdateAsync(orders, "orders-bbbbbbbb", s => s with { State = KnownResourceStates.Finished, ExitCode = 3 });
        await Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "orders-bbbbbbbb" })).ToContainTextAsync("Finished");
        run.Notifications.Remove(orders, "orders-bbbbbbbb");
        await Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "orders-bbbbbbbb" })).ToHaveCountAsync(0);

        await page.GetByRole(AriaRole.Row).Filter(new() { HasText = "orders" }).GetByTitle("Stop").First.ClickAsync();
        Assert.Equal("orders-aaaaaaaa", await stopped.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));

        await page.GotoAsync($"{run.Settings.Main.Url}/consolelogs/resource/orders-aaaaaaaa");
        await Expect(page.GetByText("hello from orders")).ToBeVisibleAsync();
        run.Loggers.Append("orders-aaaaaaaa", "and it goes on", isError: true);
        await Expect(page.GetByText("and it goes on")).ToBeVisibleAsync();
    }
}
