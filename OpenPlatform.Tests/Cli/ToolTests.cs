using System.Diagnostics;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Xml.Linq;
using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Cli;

/// <summary>The command-line tool as .NET tools are given out: packed, and installed from a folder that has nothing else.</summary>
public sealed class ToolTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("openplatform-tool-");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task It_is_packed_installed_as_a_tool_and_runs_where_there_is_no_checkout_and_no_feed()
    {
        var packages = Path.Combine(_folder.FullName, "packages");
        var tools = Path.Combine(_folder.FullName, "tools");
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name; // bin/Debug/net10.0: what these tests were built with is packed
        await RunAsync("dotnet", "pack", Path.Combine(Repository.Root, "OpenPlatform.Cli"), "--no-build", "-c", configuration, "-o", packages, "-nologo", "-v", "quiet");
        var package = Assert.Single(Directory.EnumerateFiles(packages, "*.nupkg"));
        var version = Path.GetFileNameWithoutExtension(package)["OpenPlatform.Cli.".Length..];

        // A tool brings everything that it needs: a package that it depended on would have to come from a feed.
        await using (var archive = await ZipFile.OpenReadAsync(package, Stop))
        {
            await using var manifest = await archive.Entries.Single(static entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).OpenAsync(Stop);
            var description = await XDocument.LoadAsync(manifest, LoadOptions.None, Stop);
            Assert.DoesNotContain(description.Descendants(), static element => element.Name.LocalName == "dependency");
            Assert.Equal("DotnetTool", description.Descendants().Single(static element => element.Name.LocalName == "packageType").Attribute("name")!.Value);
        }

        var feeds = Path.Combine(_folder.FullName, "nuget.config");
        await File.WriteAllTextAsync(feeds, $"""
            <configuration>
              <packageSources><clear /><add key="packed" value="{packages}" /></packageSources>
            </configuration>
            """, Stop);
        await RunAsync("dotnet", "tool", "install", "OpenPlatform.Cli", "--version", version, "--tool-path", tools, "--configfile", feeds);

        var help = await RunAsync(Path.Combine(tools, OperatingSystem.IsWindows() ? "openplatform.exe" : "openplatform"), "--help");
        Assert.All(Repository.Table("docs/command-line.md", "| Command | What it does |"), row => Assert.Contains("\n  " + row[0].Trim('`').Split(' ')[1], help, StringComparison.Ordinal));
        Assert.StartsWith(version, await RunAsync(Path.Combine(tools, "openplatform"), "--version"), StringComparison.Ordinal);
    }

    /// <summary>In a folder apart, with a home and a cache of packages of its own.</summary>
    private async Task<string> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = _folder.FullName, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
            Environment =
            {
                ["DOTNET_CLI_HOME"] = _folder.FullName, ["NUGET_PACKAGES"] = Path.Combine(_folder.FullName, "cache"), ["MSBUILDDISABLENODEREUSE"] = "1",
                // Where a tool looks for .NET, wherever that is installed.
                ["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..")),
            },
        };
        using var process = Process.Start(start)!;
        try
        {
            var errors = process.StandardError.ReadToEndAsync(Stop);
            var output = await process.StandardOutput.ReadToEndAsync(Stop);
            await process.WaitForExitAsync(Stop).WaitAsync(TimeSpan.FromMinutes(3), Stop);
            Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {output}{await errors}");
            return output;
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }
}
