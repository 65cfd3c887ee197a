using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Hosting.Publishing.Azure;

/// <summary>Bicep's own compiler, a package of NuGet: it knows the types of all resources and needs no network once it is there.</summary>
internal static class BicepCompiler
{
    private const string Package = "Azure.Bicep.CommandLine.linux-x64";

    private static readonly Lazy<Task<string>> Program = new(InstallAsync);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Compiles the files of a folder, and with them the modules that they use.</summary>
    /// <returns>Errors and warnings, nothing where all is well.</returns>
    public static async Task<string> BuildAsync(string folder)
    {
        var (exitCode, _, problems) = await RunAsync(await Program.Value, "build", "--pattern", Path.Combine(folder, "*.bicep"));
        var compiled = Directory.EnumerateFiles(folder, "*.bicep").Count(static f => File.Exists(Path.ChangeExtension(f, ".json")));
        Assert.True(exitCode == 0 ? compiled > 0 : problems.Length > 0, $"bicep build ended with {exitCode}, made {compiled} files and said nothing.");
        return problems;
    }

    /// <summary>Writes the files of a folder and its folders anew, as the compiler would write them.</summary>
    public static Task FormatAsync(string folder) => OutputAsync("format", "--pattern", Path.Combine(folder, "**", "*.bicep"));

    /// <summary>The resources that a deployment with these parameters would make, expressions evaluated as far as that is possible without Azure.</summary>
    public static async Task<IReadOnlyList<JsonObject>> SnapshotAsync(string file, IEnumerable<(string Name, string Value)> parameters)
    {
        var given = Path.ChangeExtension(file, ".bicepparam");
        await File.WriteAllTextAsync(given, $"using '{Path.GetFileName(file)}'\n" + string.Concat(parameters.Select(static p => $"param {p.Name} = '{p.Value}'\n")), Stop);
        string[] scope = (await File.ReadAllTextAsync(file, Stop)).Contains("targetScope = 'subscription'", StringComparison.Ordinal) ? [] : ["--resource-group", "rg-test"];
        await OutputAsync(["snapshot", given, "--mode", "overwrite", "--subscription-id", "00000000-0000-0000-0000-000000000001", "--location", "westeurope", .. scope]);
        var snapshot = Path.ChangeExtension(file, ".snapshot.json");
        return [.. JsonNode.Parse(await File.ReadAllTextAsync(snapshot, Stop))!["predictedResources"]!.AsArray().Select(static r => r!.AsObject())];
    }

    private static async Task<string> OutputAsync(params string[] arguments)
    {
        var (exitCode, output, problems) = await RunAsync(await Program.Value, arguments);
        Assert.True(exitCode == 0, problems);
        return output;
    }

    /// <summary>Fetched as any other package is; skipped on a machine that has none of it, but never on the build server.</summary>
    private static async Task<string> InstallAsync()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.X64 || Environment.GetEnvironmentVariable("CI") == "true", "The compiler is fetched for Linux on x64 only.");
        var version = XDocument.Load(Path.Combine(Repository.Root, "Directory.Packages.props")).Descendants("PackageVersion").Single(static v => (string?)v.Attribute("Include") == Package).Attribute("Version")!.Value;
        var folder = Directory.CreateTempSubdirectory("openplatform-bicep-").FullName;
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "bicep.csproj"), $"""
                <Project Sdk="Microsoft.NET.Sdk">
                  <PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>
                  <ItemGroup><PackageDownload Include="{Package}" Version="[{version}]" /></ItemGroup>
                </Project>
                """, Stop);
            var (exitCode, said, problems) = await RunAsync("dotnet", "restore", folder);
            Assert.True(exitCode == 0, said + problems);
            var assets = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "obj", "project.assets.json"), Stop))!;
            var program = assets["packageFolders"]!.AsObject().Select(f => Path.Combine(f.Key, Package.ToLowerInvariant(), version, "tools", "bicep")).First(File.Exists);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(program, File.GetUnixFileMode(program) | UnixFileMode.UserExecute);
            }

            return program;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<(int ExitCode, string Output, string Problems)> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        using var process = Process.Start(start)!;
        var problems = process.StandardError.ReadToEndAsync(Stop);
        var output = await process.StandardOutput.ReadToEndAsync(Stop);
        await process.WaitForExitAsync(Stop);
        return (process.ExitCode, output, await problems);
    }
}
