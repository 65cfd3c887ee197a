using System.Diagnostics;
using Aspire.Hosting;

namespace OpenPlatform.Hosting;

/// <summary>
/// Garnet, a Redis-compatible server that comes as a .NET tool: the package is restored into the user's NuGet folder and its assembly
/// started directly, since <c>dotnet tool run</c> would stay as a second process of 63 MB.
/// </summary>
internal static class GarnetTool
{
    /// <summary>The version in .config/dotnet-tools.json; a test compares the two.</summary>
    internal const string Version = "2.2.5";
    private const string Id = "garnet-server";
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(20);

    internal static string Dotnet => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } path ? path
        : Tool.Find("dotnet") ?? throw new DistributedApplicationException("'dotnet' is not on the PATH; it starts Garnet.");

    /// <summary>Absolute path of GarnetServer.dll.</summary>
    internal static async Task<string> LocateAsync(string cacheFolder, Action<string> report, CancellationToken cancellationToken)
    {
        var packages = await PackageFolderAsync(cancellationToken);
        if (Find(packages) is { } ready)
        {
            return ready;
        }

        // NuGet locks and unpacks safely by itself; a manifest of our own keeps the AppHost's tools out of it.
        var manifestFolder = Path.Combine(cacheFolder, Id);
        var manifest = Path.Combine(manifestFolder, "dotnet-tools.json");
        try
        {
            Directory.CreateDirectory(manifestFolder);
            await File.WriteAllTextAsync(manifest, $$"""{ "version": 1, "isRoot": true, "tools": { "{{Id}}": { "version": "{{Version}}", "commands": ["{{Id}}"] } } }""", cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DistributedApplicationException($"{manifestFolder} cannot be written: {e.Message} Free space there, or move the cache with {UserFolders.CacheVariable}.", e);
        }

        var restore = Tool.RunAsync(Dotnet, ["tool", "restore", "--tool-manifest", manifest], s_limit, cancellationToken);
        for (var clock = Stopwatch.StartNew(); !restore.IsCompleted; await Task.WhenAny(restore, Task.Delay(TimeSpan.FromSeconds(2), cancellationToken)))
        {
            // The dotnet command tells no percentage to others.
            report($"Downloading Garnet {Version} (114 MB), {clock.Elapsed.TotalSeconds:0} s");
        }

        var result = await restore;
        return (result.ExitCode == 0 ? Find(packages) : null) ?? throw new DistributedApplicationException(
            $"There is no 'redis-server' on the PATH, and its stand-in, the .NET tool {Id} {Version}, could not be restored. " +
            $"Install redis-server, or check the network and the NuGet sources ('dotnet nuget list source').\n{result.Tail}");
    }

    private static string? Find(string packages)
    {
        var package = Path.Combine(packages, Id, Version);
        // NuGet writes the metadata file last. The package holds a second, trimmed copy of the server deeper down.
        return File.Exists(Path.Combine(package, ".nupkg.metadata"))
            ? Directory.EnumerateFiles(Path.Combine(package, "tools"), "GarnetServer.dll", SearchOption.AllDirectories).MinBy(path => path.Length)
            : null;
    }

    private static async Task<string> PackageFolderAsync(CancellationToken cancellationToken)
    {
        // global-packages: /home/ada/.nuget/packages/
        var result = await Tool.RunAsync(Dotnet, ["nuget", "locals", "global-packages", "--list", "--force-english-output"], TimeSpan.FromMinutes(1), cancellationToken);
        const string Label = "global-packages: ";
        return result.Output.Split('\n').Select(line => line.Trim()).FirstOrDefault(line => line.StartsWith(Label, StringComparison.Ordinal))?[Label.Length..]
            ?? throw new DistributedApplicationException($"'dotnet nuget locals' does not say where packages are.\n{result.Tail}");
    }
}
