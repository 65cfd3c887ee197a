using System.Text.RegularExpressions;
using Aspire.Hosting;
using Microsoft.Extensions.Configuration;

namespace OpenPlatform.Hosting;

/// <summary>Aspire's engine on this machine. Both are files that can be started.</summary>
internal sealed record EnginePaths(string DcpPath, string DashboardPath);

internal interface IEngine
{
    /// <summary>Finds the engine, and downloads it when there is none.</summary>
    /// <exception cref="DistributedApplicationException">There is none and none can be had; the message says what to install.</exception>
    Task<EnginePaths> LocateAsync(CancellationToken ct);
}

/// <summary>First match wins: explicit paths, an installed Aspire CLI of a fitting version, the pinned npm package.</summary>
internal sealed partial class EngineLocator(IConfiguration configuration, NpmCache cache, Action<string> report) : IEngine
{
    /// <summary>What this library was run with. Another minor version may speak another protocol.</summary>
    private static readonly Version s_tested = Version.Parse(NpmPackages.AspireVersion);

    private static readonly TimeSpan s_setupLimit = TimeSpan.FromMinutes(5);
    private static readonly string s_executable = OperatingSystem.IsWindows() ? ".exe" : "";

    public async Task<EnginePaths> LocateAsync(CancellationToken ct)
    {
        var dcp = Explicit("DcpPublisher:CliPath", "ASPIRE_DCP_PATH", path => Directory.Exists(path) ? DcpIn(path) : path);
        var dashboard = Explicit("DcpPublisher:DashboardPath", "ASPIRE_DASHBOARD_PATH", path => path);
        if (dcp is not null && dashboard is not null)
        {
            return new(dcp, dashboard);
        }

        var found = FindInstalled() ?? await FetchAsync(ct);
        return new(dcp ?? found.DcpPath, dashboard ?? found.DashboardPath);
    }

    /// <summary>The native <c>aspire</c> command line of the pinned package; downloads it when needed.</summary>
    internal async Task<string> LocateCliAsync(CancellationToken cancellationToken)
    {
        await FetchAsync(cancellationToken);
        return CliIn(cache.Find(PackageOfThisPlatform())!);
    }

    private string? Explicit(string key, string variable, Func<string, string> toFile)
    {
        foreach (var setting in new[] { key, variable })
        {
            if (configuration[setting] is { Length: > 0 } value)
            {
                var file = Path.GetFullPath(toFile(value));
                return Tool.IsExecutable(file)
                    ? file
                    : throw new DistributedApplicationException($"{setting} is set to '{value}', but {file} is not there or cannot be executed. Correct the setting or remove it.");
            }
        }

        return null;
    }

    private EnginePaths? FindInstalled()
    {
        string?[] bundles =
        [
            // The command may be a link into the folder that holds the bundle.
            Tool.Find("aspire") is { } cli ? Path.Combine(Path.GetDirectoryName(File.ResolveLinkTarget(cli, returnFinalTarget: true)?.FullName ?? cli)!, "..", "bundle") : null,
            Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".aspire", "bundle"),
        ];
        foreach (var bundle in bundles)
        {
            if (bundle is null || !Directory.Exists(bundle) || PathsIn(bundle) is not { } paths)
            {
                continue;
            }

            var version = VersionOf(bundle);
            if (version is { } v && v.Major == s_tested.Major && v.Minor == s_tested.Minor)
            {
                return paths;
            }

            report($"The Aspire {version?.ToString() ?? "of unknown version"} in {Path.GetFullPath(bundle)} is not used: this needs {s_tested.Major}.{s_tested.Minor}");
        }

        return null;
    }

    /// <summary>The bundle is a link to <c>versions/13.5.4_&lt;hash&gt;</c>: its name is the only place that tells the version without starting it.</summary>
    private static Version? VersionOf(string bundle) =>
        VersionFolder().Match(new DirectoryInfo(bundle).ResolveLinkTarget(returnFinalTarget: true)?.Name ?? "") is { Success: true } match
            ? Version.Parse(match.Value)
            : null;

    private async Task<EnginePaths> FetchAsync(CancellationToken cancellationToken)
    {
        var folder = await cache.GetAsync(PackageOfThisPlatform(), SetUpAsync, report, cancellationToken);
        return PathsIn(Path.Combine(folder, "bundle"))
            ?? throw new DistributedApplicationException($"The engine in {folder} is incomplete. Delete that folder and start again.");
    }

    private static NpmPackage PackageOfThisPlatform() =>
        NpmPackages.Aspire.GetValueOrDefault(NpmPackages.Platform) ?? throw new DistributedApplicationException(
            $"No Aspire engine was found, and none is known to download for {NpmPackages.Platform}. Install the Aspire CLI {s_tested.Major}.{s_tested.Minor} " +
            $"(npm install --global @microsoft/aspire-cli@{s_tested}), run 'aspire setup' once, or set DcpPublisher:CliPath and DcpPublisher:DashboardPath.");

    private async Task SetUpAsync(string folder, CancellationToken cancellationToken)
    {
        report("Setting up the Aspire engine");
        // The command keeps logs and settings in the home folder: it gets one that is thrown away.
        var home = Directory.CreateDirectory(Path.Combine(folder, ".home")).FullName;
        var result = await Tool.RunAsync(CliIn(folder), ["setup", "--non-interactive", "--nologo"], s_setupLimit, cancellationToken, folder, new Dictionary<string, string>
        {
            ["HOME"] = home,
            ["USERPROFILE"] = home,
            ["XDG_CACHE_HOME"] = Path.Combine(home, ".cache"),
            ["ASPIRE_CLI_TELEMETRY_OPTOUT"] = "true",
            ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "true",
        });
        Directory.Delete(home, recursive: true);
        if (result.ExitCode != 0 || PathsIn(Path.Combine(folder, "bundle")) is null)
        {
            throw new DistributedApplicationException($"'aspire setup' did not unpack the engine in {folder} (exit code {result.ExitCode}).\n{result.Tail}");
        }
    }

    private static string CliIn(string folder) => Path.Combine(folder, "bin", "aspire" + s_executable);

    private static string DcpIn(string folder) => Path.Combine(folder, "dcp" + s_executable);

    private static EnginePaths? PathsIn(string bundle)
    {
        var paths = new EnginePaths(
            Path.GetFullPath(DcpIn(Path.Combine(bundle, "dcp"))),
            Path.GetFullPath(Path.Combine(bundle, "managed", "aspire-managed" + s_executable)));
        return Tool.IsExecutable(paths.DcpPath) && Tool.IsExecutable(paths.DashboardPath) ? paths : null;
    }

    [GeneratedRegex(@"^\d+\.\d+\.\d+(?=_|$)", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex VersionFolder();
}
