using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using OpenPlatform.Tests.Catalog;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.ServiceDefaults.Deployment;

/// <summary>A program that is set up wrongly ends with 1 and a line for each setting, not with where in the code it noticed.</summary>
public sealed class ServiceStartTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("openplatform-start-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("Gateway", "", "OpenPlatform:KeyPepper", "OpenPlatform__KeyPepper", "OpenPlatform:ServiceToken", "OpenPlatform__ServiceToken")]
    [InlineData("Gateway", "secrets OpenPlatform:Gateway:Limits:LoanDeadline=soon", "OpenPlatform:Gateway:Limits:LoanDeadline")]
    [InlineData("Gateway", "secrets OpenPlatform:Gateway:Limits:LoanDeadline=1.00:00:00 OpenPlatform:Gateway:PrivatePort:Url=8081", "OpenPlatform:Gateway:Limits:LoanDeadline", "OpenPlatform:Gateway:PrivatePort:Url")]
    [InlineData("Gateway", "secrets OpenPlatform:EnvelopeKey=short", "OpenPlatform:EnvelopeKey")]
    [InlineData("Gateway", "secrets OpenPlatform:StateDirectory=/proc/none", "OpenPlatform:StateDirectory")]
    [InlineData("Gateway", "secrets ConnectionStrings:redis=host=what", "ConnectionStrings:redis")]
    [InlineData("Gateway", "secrets OpenPlatform:Gateway:Observability:AccessLog=File OpenPlatform:Gateway:Observability:AccessLogFile=/proc/none/log", "OpenPlatform:Gateway:Observability:AccessLogFile")]
    [InlineData("Gateway", "secrets urls=http:8080", "--urls")]
    [InlineData("Gateway", "secrets urls=taken", "address already in use")]
    [InlineData("Catalog", "", "OpenPlatform__AdminToken", "OpenPlatform__ServiceToken", "OpenPlatform__KeyPepper")]
    [InlineData("Catalog", "secrets", "ConnectionStrings__redis")]
    [InlineData("Catalog", "secrets ConnectionStrings:redis=127.0.0.1:1", "ConnectionStrings__catalogdb")]
    [InlineData("Catalog", "secrets ConnectionStrings:redis=127.0.0.1:1 ConnectionStrings:catalogdb=Pasword=x", "ConnectionStrings:catalogdb", "pasword")]
    [InlineData("AppHost", "OPENPLATFORM_GATEWAY_PORT=http", "OPENPLATFORM_GATEWAY_PORT")]
    [InlineData("AppHost", "OPENPLATFORM_DASHBOARD_PORT=0", "OPENPLATFORM_DASHBOARD_PORT")]
    [InlineData("AppHost", "OPENPLATFORM_ADMIN_TOKEN=short", "OPENPLATFORM_ADMIN_TOKEN")]
    public async Task A_wrong_setting_is_named_in_a_line(string program, string settings, params string[] expected)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        settings = settings.Replace("secrets", $"OpenPlatform:AdminToken={CatalogServer.AdminToken} OpenPlatform:ServiceToken={CatalogServer.ServiceToken} OpenPlatform:KeyPepper={CatalogServer.Pepper}", StringComparison.Ordinal)
            .Replace("taken", $"http://{taken.LocalEndpoint}", StringComparison.Ordinal);

        var (exitCode, error, output) = await EndAsync(program, settings.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.True(exitCode == 1, $"{exitCode}: {error}{output}");
        var lines = error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(lines, static line => Assert.StartsWith("error: ", line, StringComparison.Ordinal));
        Assert.InRange(lines.Length, 1, expected.Length);
        Assert.All(expected, setting => Assert.Contains(setting, error, StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain("   at ", error + output, StringComparison.Ordinal); // no stack trace, in the log neither
        Assert.All(["short", CatalogServer.ServiceToken], secret => Assert.DoesNotContain(secret, error + output, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_settings_file_that_is_no_JSON_is_named_in_a_line()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "appsettings.json"), "{ \"OpenPlatform\": ", Stop);

        var (exitCode, error, _) = await EndAsync("Gateway", []);

        Assert.Equal(1, exitCode);
        Assert.StartsWith("error: ", error, StringComparison.Ordinal);
        Assert.Contains("appsettings.json", Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AppHost", "OPENPLATFORM_GATEWAY_PORT=http", "OPENPLATFORM_GATEWAY_PORT")] // read when the settings files have been
    [InlineData("Catalog", "OpenPlatform:EnvelopeKey=short", "OpenPlatform:EnvelopeKey")]
    public async Task Where_the_system_refuses_to_watch_settings_files_a_start_goes_on_without(string program, string setting, string expected)
    {
        var (exitCode, error, _) = await EndAsync(program, [setting], await Inotify.WithoutAsync("instances"));

        Assert.Equal(1, exitCode);
        Assert.Contains($"error: {expected}", error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    private async Task<(int ExitCode, string Error, string Output)> EndAsync(string program, string[] settings, string[]? through = null)
    {
        string[] command = [.. through ?? [], "dotnet", Path.Combine(AppContext.BaseDirectory, $"OpenPlatform.{program}.dll")];

        // Where nothing but what the test says is set: not beside the programs, where settings files lie.
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            WorkingDirectory = _folder,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["ASPNETCORE_URLS"] = "http://127.0.0.1:0", ["ASPNETCORE_ENVIRONMENT"] = "Production", ["OpenPlatform__Gateway__Warmup__Requests"] = "0", ["OpenPlatform__StateDirectory"] = _folder,
            },
        };
        foreach (var (key, value) in Processes.Environment(settings.Select(static setting => (setting[..setting.IndexOf('=')], setting[(setting.IndexOf('=') + 1)..]))))
        {
            start.Environment[key] = value;
        }

        using var process = Process.Start(start)!;
        try
        {
            var error = process.StandardError.ReadToEndAsync(Stop);
            var output = process.StandardOutput.ReadToEndAsync(Stop);
            await process.WaitForExitAsync(Stop).WaitAsync(TimeSpan.FromSeconds(60), Stop);
            return (process.ExitCode, await error, await output);
        }
        finally
        {
            process.Kill();
        }
    }
}
