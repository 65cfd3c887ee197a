using System.Net;
using System.Text.Json;
using Microsoft.Playwright;
using OpenPlatform.Tests.Architecture;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.EndToEnd;

/// <summary>What a person sees after the README's first command.</summary>
[Collection(AppHostProcess.Collection)]
public sealed class FirstRunTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_command_prints_addresses_keys_and_a_call_that_works_and_the_dashboard_shows_the_system()
    {
        await using var platform = AppHostProcess.Start(static start => start.Environment["OPENPLATFORM_DEMO_KEY"] = "demo-key-chosen-by-me");
        await platform.UntilReadyAsync();

        Assert.Equal("demo-key-chosen-by-me", platform.DemoKey);
        Assert.Contains($"curl -H \"X-Api-Key: {platform.DemoKey}\" {platform.Gateway.ToString().TrimEnd('/')}/orders/v1/orders", platform.Output, StringComparison.Ordinal);
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Add("X-Api-Key", platform.DemoKey);
        using (var answer = await client.GetAsync(new Uri(platform.Gateway, "/orders/v1/orders"), Stop))
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        foreach (var resource in (string[])["postgres", "redis", "catalog", "orders", "gateway"])
        {
            Assert.Contains(platform.Output.Split('\n'), line => line.Contains(resource, StringComparison.Ordinal) && line.Contains("healthy after", StringComparison.Ordinal));
        }

        await AssertTraceJoinsAsync(platform, "gateway", "orders");
        await AssertTraceJoinsAsync(platform, "catalog", "postgresql");
        await LookAtDashboardAsync(platform);
    }

    /// <summary>Some trace in the dashboard has both words: the names of two services, or a service and the kind of a database.</summary>
    private static async Task AssertTraceJoinsAsync(AppHostProcess platform, string one, string other)
    {
        var dashboard = new Uri(new Uri(platform.DashboardLogin).GetLeftPart(UriPartial.Authority));
        using var client = new HttpClient { BaseAddress = dashboard, DefaultRequestHeaders = { { "x-api-key", AppHostProcess.TelemetryKey } } };
        await Eventually.TrueAsync(async () =>
        {
            using var answer = JsonDocument.Parse(await client.GetStringAsync("/api/telemetry/spans", Stop));
            // resourceSpans[] each carry one service's resource attributes and its spans; a trace joins what has the same traceId.
            return answer.RootElement.GetProperty("data").GetProperty("resourceSpans").EnumerateArray()
                .SelectMany(static resource => TraceIds(resource).Select(id => (Id: id, Text: resource.GetRawText())))
                .GroupBy(static span => span.Id)
                .Any(trace => trace.Any(s => Names(s.Text, one)) && trace.Any(s => Names(s.Text, other)));
        }, TimeSpan.FromSeconds(30), $"a trace joins {one} and {other}");

        static bool Names(string resource, string word) => resource.Contains($"\"stringValue\":\"{word}\"", StringComparison.Ordinal);
        static IEnumerable<string> TraceIds(JsonElement resource) => resource.GetProperty("scopeSpans").EnumerateArray()
            .SelectMany(static scope => scope.GetProperty("spans").EnumerateArray()).Select(static span => span.GetProperty("traceId").GetString()!).Distinct();
    }

    private static async Task LookAtDashboardAsync(AppHostProcess platform)
    {
        var login = new Uri(platform.DashboardLogin);
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await playwright.Chromium.LaunchAsync(Chromium.Options());
        var page = await browser.NewPageAsync(new() { ViewportSize = new() { Width = 1440, Height = 900 } });

        // Without the token there is nothing to see.
        await page.GotoAsync(login.GetLeftPart(UriPartial.Authority));
        Assert.Contains("/login", page.Url, StringComparison.Ordinal);

        await page.GotoAsync(platform.DashboardLogin);
        var rows = page.Locator("fluent-data-grid-row, tr[role=row], [role=row]");
        await Assertions.Expect(page.GetByText("catalogdb").First).ToBeVisibleAsync(new() { Timeout = 60_000 });
        await Eventually.TrueAsync(async () => (await rows.AllInnerTextsAsync()).Count(static r => r.Contains("gateway", StringComparison.Ordinal) && r.Contains("Running", StringComparison.Ordinal)) >= 2, TimeSpan.FromSeconds(60));
        Assert.DoesNotContain(await rows.AllInnerTextsAsync(), static r => r.Contains("Unhealthy", StringComparison.Ordinal) || r.Contains("Failed", StringComparison.Ordinal));
        await KeepScreenshotAsync(page, "dashboard.png");

        var root = login.GetLeftPart(UriPartial.Authority);
        await page.GotoAsync($"{root}/consolelogs/resource/{platform.Replicas("gateway")[0]}");
        await Assertions.Expect(page.GetByText("Application started").First).ToBeVisibleAsync(new() { Timeout = 60_000 });

        await page.GotoAsync($"{root}/traces");
        await Assertions.Expect(page.GetByText("GET /orders/v1").First).ToBeVisibleAsync(new() { Timeout = 60_000 });
    }

    /// <summary>Pictures of the documentation are taken here, when asked for: <c>OPENPLATFORM_SCREENSHOTS=docs/images</c>.</summary>
    private static async Task KeepScreenshotAsync(IPage page, string name)
    {
        if (Environment.GetEnvironmentVariable("OPENPLATFORM_SCREENSHOTS") is { Length: > 0 } folder)
        {
            await page.ScreenshotAsync(new() { Path = Path.Combine(Repository.Root, folder, name) });
        }
    }
}
