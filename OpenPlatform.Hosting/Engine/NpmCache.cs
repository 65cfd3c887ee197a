using System.ComponentModel;
using System.Formats.Tar;
using System.IO.Compression;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Aspire.Hosting;

namespace OpenPlatform.Hosting;

/// <summary>
/// Pinned npm packages, unpacked once per user under <c>&lt;cache&gt;/npm/&lt;package&gt;/&lt;version&gt;</c>. The registry is the
/// one the user's npm client is set up for; what came from it counts only when its hash is the pinned one.
/// </summary>
/// <param name="cacheFolder">Absolute path.</param>
/// <param name="npmSettings">Environment variables for npm beside the inherited ones.</param>
internal sealed class NpmCache(string cacheFolder, IReadOnlyDictionary<string, string>? npmSettings = null)
{
    /// <summary>Written last. A folder without it is a broken attempt and is started over.</summary>
    private const string CompleteMarker = ".complete";
    private static readonly TimeSpan s_npmLimit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_packLimit = TimeSpan.FromMinutes(15);

    /// <summary>The folder of an already fetched package, or null.</summary>
    internal string? Find(NpmPackage package)
    {
        var marker = Path.Combine(FolderOf(package), CompleteMarker);
        return File.Exists(marker) && File.ReadAllText(marker) == package.Integrity ? FolderOf(package) : null;
    }

    /// <summary>The package's folder, fetched when it is not there yet; concurrent callers, also of other processes, wait for one download.</summary>
    /// <param name="package">What to fetch.</param>
    /// <param name="finish">Work on the unpacked folder that belongs to the installation (links, a setup command).</param>
    /// <param name="report">Receives progress texts such as <c>Downloading … 37 %</c>.</param>
    /// <param name="cancellationToken">Ends the attempt; the next one starts over.</param>
    /// <exception cref="DistributedApplicationException">It could not be had; the message says what to do.</exception>
    internal async Task<string> GetAsync(NpmPackage package, Func<string, CancellationToken, Task> finish, Action<string> report, CancellationToken cancellationToken)
    {
        if (Find(package) is { } ready)
        {
            return ready;
        }

        var folder = FolderOf(package);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
            using var held = await CrossProcessLock.AcquireAsync(folder + ".lock", () => report($"Another process is fetching {package}, waiting for it"), cancellationToken);
            if (Find(package) is { } fetchedByOther)
            {
                return fetchedByOther;
            }

            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }

            var tarball = folder + ".tgz";
            try
            {
                await DownloadAsync(package, tarball, report, cancellationToken);
                report($"Unpacking {package}");
                await UnpackAsync(tarball, folder, cancellationToken);
            }
            finally
            {
                File.Delete(tarball);
            }

            await finish(folder, cancellationToken);
            await File.WriteAllTextAsync(Path.Combine(folder, CompleteMarker), package.Integrity, cancellationToken);
            return folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or Win32Exception or TimeoutException or InvalidDataException)
        {
            throw new DistributedApplicationException(
                $"{package} could not be installed under {cacheFolder}: {e.Message} Free space there, or move the cache with {UserFolders.CacheVariable}.", e);
        }
    }

    private string FolderOf(NpmPackage package) =>
        Path.Combine(cacheFolder, "npm", package.Name.TrimStart('@').Replace('/', '_'), package.Version);

    private async Task DownloadAsync(NpmPackage package, string tarball, Action<string> report, CancellationToken cancellationToken)
    {
        var npm = Tool.Find("npm") ?? throw new DistributedApplicationException(
            $"{package} is needed, and the npm client that downloads it is not on the PATH. Install Node.js with npm (https://nodejs.org, or your system's package 'npm') and start again.");
        report($"Looking up {package}");
        var view = await Tool.RunAsync(npm, ["view", package.ToString(), "dist", "--json"], s_npmLimit, cancellationToken, environment: npmSettings);
        if (view.ExitCode != 0)
        {
            throw new DistributedApplicationException(
                $"npm does not find {package}, which is not in the cache yet. Check the network, the proxy and the registry that 'npm config get registry' names, then start again.\n{view.Tail}");
        }

        try
        {
            using var dist = JsonDocument.Parse(view.Output);
            await DownloadAsync(package, new Uri(dist.RootElement.GetProperty("tarball").GetString()!), tarball, report, cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or KeyNotFoundException or UriFormatException)
        {
            // A registry that wants credentials or a private certificate authority: npm knows how, at the price of no percentage.
            report($"Downloading {package} with npm pack");
            var folder = Directory.CreateDirectory(tarball + ".pack");
            var pack = await Tool.RunAsync(npm, ["pack", package.ToString(), "--pack-destination", folder.FullName], s_packLimit, cancellationToken, environment: npmSettings);
            if (pack.ExitCode != 0)
            {
                folder.Delete(recursive: true);
                throw new DistributedApplicationException($"{package} could not be downloaded ({e.Message}), and 'npm pack' failed too. Check the network and start again.\n{pack.Tail}", e);
            }

            File.Move(folder.GetFiles("*.tgz").Single().FullName, tarball, overwrite: true);
            folder.Delete(recursive: true);
        }

        await VerifyAsync(package, tarball, cancellationToken);
    }

    private static async Task DownloadAsync(NpmPackage package, Uri address, string tarball, Action<string> report, CancellationToken cancellationToken)
    {
        using var client = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        using var stall = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // A connection that brings nothing for this long is dead; a slow one may take its time.
        var patience = TimeSpan.FromSeconds(60);
        stall.CancelAfter(patience);
        try
        {
            using var response = await client.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, stall.Token);
            response.EnsureSuccessStatusCode();
            await using var source = await response.Content.ReadAsStreamAsync(stall.Token);
            await using var target = new FileStream(tarball, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 20);
            var buffer = new byte[1 << 17];
            var (total, done, reported) = (response.Content.Headers.ContentLength, 0L, -10L);
            for (int read; (read = await source.ReadAsync(buffer, stall.Token)) > 0;)
            {
                stall.CancelAfter(patience);
                await target.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                done += read;
                if (total is > 0 && done * 100 / total.Value is var percent && percent >= reported + 5)
                {
                    reported = percent;
                    report($"Downloading {package}: {percent} % of {total / 1_000_000} MB");
                }
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HttpRequestException($"Nothing arrived for {patience.TotalSeconds:0} s.", e);
        }
        catch (IOException e) when (e is HttpIOException || e.InnerException is SocketException)
        {
            throw new HttpRequestException(e.Message, e); // The connection broke in the middle; other I/O errors are the disk's.
        }
    }

    private static async Task VerifyAsync(NpmPackage package, string tarball, CancellationToken cancellationToken)
    {
        await using var file = File.OpenRead(tarball);
        var actual = "sha512-" + Convert.ToBase64String(await SHA512.HashDataAsync(file, cancellationToken));
        if (actual != package.Integrity)
        {
            throw new DistributedApplicationException(
                $"{package} from your npm registry is not the package this version was tested with, so it is not used: its integrity is {actual}, expected is {package.Integrity}.");
        }
    }

    private static async Task UnpackAsync(string tarball, string folder, CancellationToken cancellationToken)
    {
        var unpacking = folder + ".unpacking";
        if (Directory.Exists(unpacking))
        {
            Directory.Delete(unpacking, recursive: true);
        }

        Directory.CreateDirectory(unpacking);
        await using (var compressed = File.OpenRead(tarball))
        await using (var tar = new GZipStream(compressed, CompressionMode.Decompress))
        {
            await TarFile.ExtractToDirectoryAsync(tar, unpacking, overwriteFiles: false, cancellationToken);
        }

        // npm tarballs hold one folder, by custom "package".
        Directory.Move(Directory.GetDirectories(unpacking).Single(), folder);
        Directory.Delete(unpacking, recursive: true);
    }
}
