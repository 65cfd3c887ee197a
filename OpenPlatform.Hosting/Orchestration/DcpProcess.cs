using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Aspire.Hosting;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>Starts Aspire's orchestrator in the background, bound to the life of a process, and opens its API.</summary>
internal static partial class DcpProcess
{
    /// <summary>DCP was seen to take 1.2 s on a quiet machine and 11 s on two overloaded cores.</summary>
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(90);

    /// <param name="dcpPath">The file <c>dcp</c>.</param>
    /// <param name="folder">Where DCP writes; deleted by DCP at its end.</param>
    /// <param name="monitoredPid">When this process ends, for whatever reason, DCP stops everything it started and itself.</param>
    /// <param name="containerRuntime"><c>docker</c>, <c>podman</c>, or null to let DCP choose.</param>
    /// <exception cref="DistributedApplicationException">DCP does not start; the message has its output.</exception>
    public static async Task<DcpClient> StartAsync(
        string dcpPath, SessionFolder folder, int monitoredPid, string? containerRuntime, CancellationToken ct)
    {
        // An own token keeps the secret out of the kubeconfig file.
        var token = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
        var start = new ProcessStartInfo(dcpPath)
        {
            UseShellExecute = false,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
            ArgumentList =
            {
                "start-apiserver", "--monitor", monitoredPid.ToString(CultureInfo.InvariantCulture),
                "--detach", "--kubeconfig", folder.Kubeconfig,
            },
        };
        if (containerRuntime is not null)
        {
            start.ArgumentList.Add("--container-runtime");
            start.ArgumentList.Add(containerRuntime);
        }

        KeepHostSettingsFromChildren(start.Environment);
        start.Environment["DCP_SESSION_FOLDER"] = folder.Path;
        start.Environment["DCP_SECURE_TOKEN"] = token;

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(StartLimit);
        try
        {
            await LaunchAsync(start, limit.Token);
            var (server, authority) = await ReadKubeconfigAsync(folder.Kubeconfig, limit.Token);
            var client = new DcpClient(server, token, authority);
            await client.WaitUntilReadyAsync(limit.Token);
            return client;
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new DistributedApplicationException(
                $"The orchestrator '{dcpPath}' did not become ready within {StartLimit.TotalSeconds:0} s. " +
                "Set DCP_DIAGNOSTICS_LOG_LEVEL=debug and DCP_DIAGNOSTICS_LOG_FOLDER=<folder> and look at its logs.", e);
        }
    }

    /// <summary>
    /// Executables inherit DCP's environment. What steers this host (its URLs, environment name, launch profile, start-up hooks of a
    /// watcher or test runner) must not steer the services; what says where .NET is must stay.
    /// </summary>
    internal static void KeepHostSettingsFromChildren(IDictionary<string, string?> environment)
    {
        foreach (var name in environment.Keys.Where(IsHostSetting).ToArray())
        {
            environment.Remove(name);
        }

        static bool IsHostSetting(string name) =>
            HostPrefixes.Any(p => name.StartsWith(p, StringComparison.OrdinalIgnoreCase))
            && !SharedPrefixes.Any(p => name.StartsWith(p, StringComparison.OrdinalIgnoreCase));
    }

    private static readonly string[] HostPrefixes = ["ASPNETCORE_", "DOTNET_", "ASPIRE_", "DCP_SESSION", "DCP_SECURE", "VSTEST_"];
    private static readonly string[] SharedPrefixes =
        ["DOTNET_ROOT", "DOTNET_CLI_", "DOTNET_SYSTEM_", "DOTNET_NOLOGO", "DOTNET_RUNNING_IN_CONTAINER", "DOTNET_GC"];

    private static async Task LaunchAsync(ProcessStartInfo start, CancellationToken ct)
    {
        using var launcher = Process.Start(start) ?? throw new DistributedApplicationException($"'{start.FileName}' could not be started.");
        launcher.StandardInput.Close();
        var output = launcher.StandardOutput.ReadToEndAsync(ct);
        var errors = launcher.StandardError.ReadToEndAsync(ct);
        await launcher.WaitForExitAsync(ct);   // the detached child has no part in these pipes
        if (launcher.ExitCode != 0)
        {
            throw new DistributedApplicationException(
                $"The orchestrator '{start.FileName}' ended with exit code {launcher.ExitCode}: {(await errors).Trim()} {(await output).Trim()}");
        }
    }

    private static async Task<(Uri Server, string AuthorityPem)> ReadKubeconfigAsync(string path, CancellationToken ct)
    {
        while (true)
        {
            // The file may be seen half-written: all that is needed must match.
            if (File.Exists(path))
            {
                var text = await File.ReadAllTextAsync(path, ct);
                var server = ServerLine().Match(text);
                var authority = AuthorityLine().Match(text);
                if (server.Success && authority.Success)
                {
                    return (new Uri(server.Groups["value"].Value), Encoding.ASCII.GetString(Convert.FromBase64String(authority.Groups["value"].Value)));
                }
            }

            await Task.Delay(TimeSpan.FromMilliseconds(25), ct);
        }
    }

    [GeneratedRegex(@"^\s*server:\s*(?<value>https://\S+)\s*$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ServerLine();

    [GeneratedRegex(@"^\s*certificate-authority-data:\s*(?<value>[A-Za-z0-9+/=]+)\s*\n", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex AuthorityLine();
}
