using System.Diagnostics;
using OpenPlatform.Tests.Gateway.Framing;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Protocols;

/// <summary>The programs in <c>peers/</c>, with the npm packages they need, as processes.</summary>
internal sealed class NodePeers : IAsyncDisposable
{
    private static readonly SemaphoreSlim Installing = new(1, 1);
    private static string? _installed;

    private readonly Process _process;

    private NodePeers(Process process, int port)
    {
        _process = process;
        Port = port;
    }

    public int Port { get; }

    /// <summary>Skips the test on a machine without the program, fails it on a build server.</summary>
    public static void Require(string program) =>
        Assert.SkipUnless(program.OnPath() is not null || Environment.GetEnvironmentVariable("CI") == "true", $"{program} is not installed.");

    /// <summary>The folder with the programs and their packages; once a run.</summary>
    public static async Task<string> InstallAsync()
    {
        Require("npm");
        await Installing.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            if (_installed is null)
            {
                var folder = Directory.CreateTempSubdirectory("openplatform-peers-").FullName;
                AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
                foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "OpenPlatform.Tests", "Gateway", "Protocols", "peers")))
                {
                    File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
                }

                await PeerTests.RunAsync("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error");
                _installed = folder;
            }

            return _installed;
        }
        finally
        {
            Installing.Release();
        }
    }

    /// <summary>Starts a server, which says its port in its first line.</summary>
    public static async Task<NodePeers> StartAsync(string folder, string script)
    {
        var process = Process.Start(new ProcessStartInfo("node", [Path.Combine(folder, script)]) { UseShellExecute = false, RedirectStandardOutput = true })!;
        var line = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
        Assert.StartsWith("port ", line, StringComparison.Ordinal);
        return new(process, int.Parse(line!["port ".Length..]));
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
