using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;
using OpenPlatform.Tests.Architecture;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.EndToEnd;

/// <summary>The system started as a person starts it, with <c>dotnet run</c>, on ports of its own and with temporary data.</summary>
internal sealed partial class AppHostProcess : IAsyncDisposable
{
    /// <summary>One system at a time: the build machine has two cores.</summary>
    public const string Collection = "apphost process";

    /// <summary>Far beyond the promised time: only a start that hangs fails by it.</summary>
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);

    /// <summary>Key of the dashboard's telemetry API.</summary>
    public const string TelemetryKey = "telemetry-key-of-this-test";

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly Stopwatch _watch = Stopwatch.StartNew();

    private AppHostProcess(ProcessStartInfo start, int gatewayPort, int catalogPort)
    {
        (GatewayPort, CatalogPort, TemporaryFolder) = (gatewayPort, catalogPort, start.Environment["TMPDIR"]!);
        Marks = new MarkedProcesses(TemporaryFolder);
        start.Environment[MarkedProcesses.Variable] = Marks.Value;
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.UseShellExecute = false;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, e) => Record(e.Data);
        _process.ErrorDataReceived += (_, e) => Record(e.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public MarkedProcesses Marks { get; }

    /// <summary>Every temporary file of this run lies below it.</summary>
    public string TemporaryFolder { get; }

    public int GatewayPort { get; }

    public int CatalogPort { get; }

    public Uri Gateway => new($"http://localhost:{GatewayPort}");

    public string Output => string.Join('\n', _lines);

    /// <summary>Time from the command to now.</summary>
    public TimeSpan Elapsed => _watch.Elapsed;

    public string DemoKey => Find(DemoKeyLine());

    public string AdminToken => Find(AdminTokenLine());

    /// <summary>Resource ids of a replicated resource, from the lines that say what each replica is doing.</summary>
    public IReadOnlyList<string> Replicas(string resource) =>
        [.. Regex.Matches(Output, $@"^{resource}/(?<id>[a-z0-9]+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1))
            .Select(m => $"{resource}-{m.Groups["id"].Value}").Distinct()];

    public string DashboardLogin => Find(DashboardLine());

    /// <summary>Process id of the command that was started.</summary>
    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    public static AppHostProcess Start(params string[] applicationArguments) => Start(null, applicationArguments);

    /// <summary>Starts <c>dotnet run</c> on the built AppHost; <paramref name="configure"/> may change the command before that.</summary>
    public static AppHostProcess Start(Action<ProcessStartInfo>? configure, params string[] applicationArguments)
    {
        var (gateway, catalog) = (FreePort.Next(), FreePort.Next());
        var start = new ProcessStartInfo("dotnet", ["run", "--no-build", "--project", "OpenPlatform.AppHost", "--", .. applicationArguments])
        {
            WorkingDirectory = Repository.Root,
            Environment =
            {
                ["OPENPLATFORM_GATEWAY_PORT"] = $"{gateway}",
                ["OPENPLATFORM_CATALOG_PORT"] = $"{catalog}",
                ["OPENPLATFORM_DASHBOARD_PORT"] = $"{FreePort.Next()}",
                ["OPENPLATFORM_DATA"] = "temporary",
                ["TMPDIR"] = CreateTemporaryFolder(),
                ["ASPIRE_DASHBOARD_API_KEY"] = TelemetryKey,
            },
        };
        configure?.Invoke(start);
        return new(start, gateway, catalog);
    }

    /// <summary>Waits for the block that is printed when all is healthy.</summary>
    public async Task UntilReadyAsync()
    {
        await Eventually.TrueAsync(() => HasExited || IsReady || HasFailed || Elapsed > StartLimit, StartLimit + TimeSpan.FromSeconds(1));
        Assert.True(IsReady, $"Not ready after {Elapsed.TotalSeconds:0} s{(HasExited ? $", ended with {ExitCode}" : "")}. It said:\n{Output}");
    }

    // As root Postgres runs as another user, which must be able to pass through, as it can through /tmp.
    private static string CreateTemporaryFolder()
    {
        var folder = Directory.CreateTempSubdirectory("op-run-").FullName;
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(folder, (UnixFileMode)0b111_101_101);
        }

        return folder;
    }

    private bool HasFailed => Output.Contains("failed to start", StringComparison.Ordinal);

    private bool IsReady => Output.Contains("Ctrl-C stops everything.", StringComparison.Ordinal);

    /// <summary>The process id of the AppHost itself (<c>dotnet run</c> is its parent).</summary>
    public int AppHostId() => AppHostIds().Single();

    private int[] AppHostIds() => [.. Marks.Alive().Where(static p =>
        p.Command.Contains("OpenPlatform.AppHost", StringComparison.Ordinal) && !p.Command.StartsWith("dotnet run", StringComparison.Ordinal)
        && !p.Command.Contains(" run ", StringComparison.Ordinal)).Select(static p => p.Id)];

    /// <summary>Waits until no process of this run is alive.</summary>
    public async Task UntilGoneAsync(TimeSpan within)
    {
        var watch = Stopwatch.StartNew();
        await Eventually.TrueAsync(() => Marks.Alive().Count == 0 || watch.Elapsed > within, within + TimeSpan.FromSeconds(1));
        Assert.Empty(Marks.Alive());
    }

    public async ValueTask DisposeAsync()
    {
        // A polite end where one is still possible; a test that failed half way is cleaned up either way.
        if (AppHostIds() is [var appHost])
        {
            Signal.Send(appHost, Signal.Terminate);
            var watch = Stopwatch.StartNew();
            await Eventually.TrueAsync(() => Marks.Alive().Count == 0 || watch.Elapsed > TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(21));
        }

        Marks.KillAll();
        await Eventually.TrueAsync(() => Marks.Alive().Count == 0, TimeSpan.FromSeconds(20));
        _process.Dispose();
        Directory.Delete(TemporaryFolder, recursive: true);
    }

    private void Record(string? line)
    {
        if (line is not null)
        {
            _lines.Enqueue(line);
        }
    }

    private string Find(Regex line)
    {
        var match = line.Match(Output);
        Assert.True(match.Success, $"No line matches {line}:\n{Output}");
        return match.Groups["value"].Value;
    }

    [GeneratedRegex(@"Demo key\s+(?<value>\S+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex DemoKeyLine();

    [GeneratedRegex(@"Admin token\s+(?<value>\S+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex AdminTokenLine();

    [GeneratedRegex(@"Dashboard\s+(?<value>http\S+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex DashboardLine();
}

[CollectionDefinition(AppHostProcess.Collection)]
public sealed class AppHostProcessDefinition;
