using Microsoft.Playwright;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>A headless Chromium of this machine. Nothing is downloaded.</summary>
public sealed class ChromiumFixture : IAsyncLifetime
{
    private static readonly string[] Places =
        [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).SelectMany(p => new[] { "chromium", "chromium-browser", "google-chrome" }, Path.Combine)];
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async ValueTask InitializeAsync()
    {
        if (Places.FirstOrDefault(File.Exists) is not { } chromium)
        {
            return;
        }
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = chromium,
            Args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"],
        });
    }

    /// <summary>A page of a fresh profile. Where there is no Chromium the test is skipped, on a build server it fails.</summary>
    public async Task<IPage> NewPageAsync()
    {
        if (_browser is null)
        {
            const string reason = "There is no chromium on the PATH. Debian, Ubuntu: apt-get install chromium.";
            if (Environment.GetEnvironmentVariable("CI") == "true")
            {
                Assert.Fail(reason);
            }
            Assert.Skip(reason);
        }
        var context = await _browser.NewContextAsync(new() { ViewportSize = new() { Width = 1600, Height = 1000 }, IgnoreHTTPSErrors = true });
        // A loaded machine of two cores takes its time; both are limits, not waits.
        context.SetDefaultTimeout(30_000);
        Assertions.SetDefaultExpectTimeout(30_000);
        return await context.NewPageAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }
        _playwright?.Dispose();
    }
}
