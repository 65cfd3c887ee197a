using Aspire.Hosting;
using Microsoft.Extensions.Configuration;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Hosting.LocalServers;

namespace OpenPlatform.Tests.Hosting.Engine;

/// <summary>Who wins, and what is said when there is nothing.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class EngineLocatorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task Explicit_paths_win()
    {
        var dcp = Executable("own/dcp");
        var dashboard = Executable("own/aspire-managed");
        Assert.Equal(new(dcp, dashboard), await LocateAsync(("DcpPublisher:CliPath", dcp), ("DcpPublisher:DashboardPath", dashboard)));
        Assert.Equal(new(dcp, dashboard), await LocateAsync(("ASPIRE_DCP_PATH", Path.GetDirectoryName(dcp)!), ("ASPIRE_DASHBOARD_PATH", dashboard)));
    }

    [Fact]
    public async Task An_explicit_path_to_nothing_is_an_error_that_names_the_setting()
    {
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => LocateAsync(("DcpPublisher:CliPath", "/nowhere/dcp")));
        Assert.Contains("DcpPublisher:CliPath", error.Message, StringComparison.Ordinal);
        Assert.Contains("/nowhere/dcp", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_installed_Aspire_of_the_tested_minor_version_is_used()
    {
        Install("13.5.9");
        var result = await FetchEngineAsync();
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        Assert.Contains(Path.Combine(_folder, "home", ".aspire", "bundle", "dcp", "dcp"), result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_installed_Aspire_of_another_version_is_passed_over_and_named()
    {
        Install("13.4.0");
        var result = await FetchEngineAsync();
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("13.4.0", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_npm_the_error_says_what_to_install()
    {
        Assert.SkipUnless(NpmPackages.Aspire.ContainsKey(NpmPackages.Platform), "No package for this platform: the error is another one.");
        var result = await FetchEngineAsync();
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("Install Node.js", result.Error, StringComparison.Ordinal);
        Assert.Contains("warning OPENPLATFORM001", result.Error, StringComparison.Ordinal); // MSBuild shows it as one.
    }

    [Fact]
    public async Task Without_network_the_error_says_what_to_check()
    {
        Assert.SkipUnless(NpmPackages.Aspire.ContainsKey(NpmPackages.Platform), "No package for this platform: the error is another one.");
        var result = await FetchEngineAsync(Environment.GetEnvironmentVariable("PATH")!, "http://127.0.0.1:9/");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("Check the network, the proxy and the registry", result.Error, StringComparison.Ordinal);
    }

    /// <summary>The real package: from the user's cache, which the build has filled.</summary>
    [Fact]
    public async Task The_pinned_package_holds_the_engine_and_the_command_line()
    {
        var locator = new EngineLocator(new ConfigurationBuilder().Build(), new NpmCache(UserFolders.Cache), _ => { });
        var engine = await locator.LocateAsync(TestContext.Current.CancellationToken);
        var info = await Tool.RunAsync(engine.DcpPath, ["version"], TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Assert.Contains("\"version\":\"0.25.", info.Output, StringComparison.Ordinal);
        Assert.True(Tool.IsExecutable(engine.DashboardPath));
        Assert.True(Tool.IsExecutable(await locator.LocateCliAsync(TestContext.Current.CancellationToken)));
    }

    public void Dispose() => _folder.Dispose();

    private static Task<EnginePaths> LocateAsync(params (string Key, string Value)[] settings) =>
        new EngineLocator(new ConfigurationBuilder().AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value))).Build(), new NpmCache("/nonexistent"), _ => { })
            .LocateAsync(TestContext.Current.CancellationToken);

    /// <summary>The command of the build, in a process whose PATH, home and cache are this test's.</summary>
    private Task<Tool.Result> FetchEngineAsync(string path = "/nonexistent", string registry = "") => Tool.RunAsync(
        GarnetTool.Dotnet, [typeof(EngineLocator).Assembly.Location, "fetch-engine"], TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken,
        environment: new Dictionary<string, string>
        {
            ["PATH"] = path,
            ["HOME"] = Path.Combine(_folder, "home"),
            ["OPENPLATFORM_CACHE"] = Path.Combine(_folder, "cache"),
            ["npm_config_registry"] = registry,
            ["npm_config_fetch_retries"] = "0",
            ["ASPIRE_DCP_PATH"] = "",
            ["ASPIRE_DASHBOARD_PATH"] = "",
        });

    private void Install(string version)
    {
        var home = Path.Combine("home", ".aspire");
        Executable(Path.Combine(home, "versions", version + "_0a1b2c", "dcp", "dcp"));
        Executable(Path.Combine(home, "versions", version + "_0a1b2c", "managed", "aspire-managed"));
        Directory.CreateSymbolicLink(Path.Combine(_folder, home, "bundle"), Path.Combine(_folder, home, "versions", version + "_0a1b2c"));
    }

    private string Executable(string path)
    {
        var file = Path.Combine(_folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, "");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return file;
    }
}
