using Microsoft.Playwright;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>The system's own Chromium, headless.</summary>
internal static class Chromium
{
    private const string Path = "/usr/bin/chromium";

    /// <summary>Skips the test where there is no Chromium; on the build server that is a failure.</summary>
    public static BrowserTypeLaunchOptions Options()
    {
        if (!File.Exists(Path))
        {
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", $"{Path} is missing on the build server.");
            Assert.Skip($"{Path} is not installed.");
        }

        return new()
        {
            ExecutablePath = Path,
            // No sandbox: the build server runs as root. The rest keeps the browser from looking for its maker's servers.
            Args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
        };
    }
}
