using System.Net;
using Microsoft.Extensions.Configuration;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Architecture;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.EndToEnd;

/// <summary>The official <c>aspire</c> tool starts the same system and stops it.</summary>
[Collection(AppHostProcess.Collection)]
public sealed class AspireCliTests
{
    [Fact]
    public async Task Aspire_run_starts_the_system_and_an_interrupt_stops_it_cleanly()
    {
        const string Key = "demo-key-chosen-by-me";
        var stop = TestContext.Current.CancellationToken;
        var cli = await new EngineLocator(new ConfigurationBuilder().Build(), new NpmCache(UserFolders.Cache), static _ => { }).LocateCliAsync(stop);
        await using var platform = AppHostProcess.Start(start =>
        {
            start.FileName = cli;
            start.ArgumentList.Clear();
            foreach (var argument in (string[])["run", "--apphost", Path.Combine(Repository.Root, "OpenPlatform.AppHost", "OpenPlatform.AppHost.csproj"), "--non-interactive", "--nologo"])
            {
                start.ArgumentList.Add(argument);
            }

            // The tool writes settings and a certificate into the home folder and a file into the current one: both are thrown away.
            var home = Directory.CreateDirectory(Path.Combine(start.Environment["TMPDIR"]!, "home")).FullName;
            start.WorkingDirectory = home;
            start.Environment["NUGET_PACKAGES"] = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
                ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
            start.Environment["HOME"] = home;
            start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
            start.Environment["ASPIRE_CLI_START_TIMEOUT"] = "180"; // seconds, as long as this test waits: the tool looks first whether everything is built
            start.Environment["ASPIRE_CLI_TELEMETRY_OPTOUT"] = start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "true";
            start.Environment["OPENPLATFORM_DEMO_KEY"] = Key;
        });
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Add("X-Api-Key", Key);

        await Eventually.TrueAsync(async () =>
        {
            Assert.False(platform.HasExited, platform.Output);
            try
            {
                using var answer = await client.GetAsync(new Uri(platform.Gateway, "/orders/v1/orders"), stop);
                return answer.StatusCode == HttpStatusCode.OK;
            }
            catch (HttpRequestException)
            {
                return false; // not listening yet
            }
        }, TimeSpan.FromMinutes(3));
        await Eventually.TrueAsync(() => platform.Output.Contains("/login?t=", StringComparison.Ordinal));

        Signal.Send(platform.Id, Signal.Interrupt);

        await Eventually.TrueAsync(() => platform.HasExited, TimeSpan.FromSeconds(60));
        Assert.True(platform.ExitCode == 0, platform.Output);
        await platform.UntilGoneAsync(TimeSpan.FromSeconds(15));
    }
}
