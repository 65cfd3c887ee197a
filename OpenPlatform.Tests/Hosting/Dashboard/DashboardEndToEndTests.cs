using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using OpenPlatform.Hosting.Dashboard;
using OpenPlatform.Tests.Fixtures;
using static Microsoft.Playwright.Assertions;

namespace OpenPlatform.Tests.Hosting.Dashboard;

/// <summary>An application as a developer runs it: orchestrator, process, dashboard, browser.</summary>
public sealed class DashboardEndToEndTests(ChromiumFixture chromium) : IClassFixture<ChromiumFixture>
{
    [Fact]
    public async Task The_dashboard_shows_a_running_process_keeps_its_secrets_and_stops_it()
    {
        var page = await chromium.NewPageAsync();
        var cancellationToken = TestContext.Current.CancellationToken;
        var builder = DistributedApplication.CreateBuilder(["--DcpPublisher:RandomizePorts=true", "--environment=Development"]);
        var password = builder.AddParameter("password", () => "correct-horse", secret: true);
        builder.AddExecutable("clock", "sh", "/", "-c", "echo it ticks; exec sleep 300", "--token").WithArgs(password).WithEnvironment("CLOCK_PASSWORD", password);
        await using var application = builder.Build();
        await application.StartAsync(cancellationToken);
        await application.ResourceNotifications.WaitForResourceHealthyAsync(DashboardResource.Name, cancellationToken).WaitAsync(TimeSpan.FromSeconds(90), cancellationToken);
        var settings = application.Services.GetRequiredService<DashboardSettings>();

        await page.GotoAsync(settings.LoginUrl);
        var row = page.GetByRole(AriaRole.Row).Filter(new() { HasText = "clock" });
        await Expect(row).ToContainTextAsync("Running");
        await Expect(row).ToContainTextAsync("--token");
        await row.GetByText("clock", new() { Exact = true }).ClickAsync();
        await Expect(page.GetByText("CLOCK_PASSWORD")).ToBeVisibleAsync();
        Assert.DoesNotContain("correct-horse", await page.InnerTextAsync("body"), StringComparison.Ordinal);
        await page.GotoAsync($"{settings.Main.Url}/?view=Parameters");
        await Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "Parameters:password" })).ToBeVisibleAsync();
        Assert.DoesNotContain("correct-horse", await page.InnerTextAsync("body"), StringComparison.Ordinal);

        Assert.True(application.ResourceNotifications.TryGetCurrentState("clock", out var clock));
        await page.GotoAsync($"{settings.Main.Url}/consolelogs/resource/{clock.ResourceId}");
        await Expect(page.GetByText("it ticks")).ToBeVisibleAsync();

        await page.GotoAsync(settings.Main.Url);
        await row.GetByTitle("Stop").First.ClickAsync();
        await application.ResourceNotifications.WaitForResourceAsync("clock", KnownResourceStates.Finished, cancellationToken).WaitAsync(TimeSpan.FromSeconds(30), cancellationToken);
        await Expect(row).ToContainTextAsync("Finished");
    }
}
