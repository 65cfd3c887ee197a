using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>A real server started for a test, which can be killed, frozen and started again on the same port.</summary>
public abstract class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(30);

    private Process? _process;
    private int _port;
    private string? _missing;

    /// <summary>Asking for it skips the test when the server's program is not installed (a fixture itself cannot skip).</summary>
    public int Port
    {
        get
        {
            Assert.SkipWhen(_missing is not null, _missing ?? "");
            return _port;
        }
    }

    protected string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("openplatform-test-").FullName;

    public async Task StartAsync()
    {
        for (var attempt = 1; ; attempt++)
        {
            if (_port == 0)
            {
                _port = FreePort();
            }

            try
            {
                _process = Process.Start(StartInfo())!;
            }
            catch (FileNotFoundException e) when (Environment.GetEnvironmentVariable("CI") != "true")
            {
                _missing = e.Message;
                System.IO.Directory.Delete(Directory, recursive: true); // nobody disposes of a test that is skipped while it is set up
                return;
            }

            _process.OutputDataReceived += (_, _) => { };
            _process.ErrorDataReceived += (_, _) => { };
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
            var deadline = Stopwatch.StartNew();
            while (!_process.HasExited && deadline.Elapsed < StartTimeout)
            {
                if (await AnswersAsync())
                {
                    return;
                }

                await Task.Delay(20);
            }

            await KillAsync();
            if (attempt == 3)
            {
                throw new InvalidOperationException($"{GetType().Name} did not start on port {Port}.");
            }

            _port = 0; // somebody else took it meanwhile
        }
    }

    /// <summary>Ends it as a power cut would, and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }
    }

    /// <summary>Stops it in the middle of whatever it does: connections stay open and nothing answers.</summary>
    public void Freeze() => Signal.Send(_process!.Id, Signal.Stop);

    public void Thaw() => Signal.Send(_process!.Id, Signal.Continue);

    protected abstract ProcessStartInfo StartInfo();

    protected abstract Task<bool> AnswersAsync();

    /// <summary>Sends one RESP command in inline form and tells whether the answer starts as expected.</summary>
    protected async Task<bool> AnswersRespAsync(string commands, string expectedEnd)
    {
        try
        {
            using var client = new TcpClient();
            using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            await client.ConnectAsync(IPAddress.Loopback, Port, timeout.Token);
            await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(commands), timeout.Token);
            var buffer = new byte[256];
            var text = "";
            while (!text.EndsWith(expectedEnd, StringComparison.Ordinal))
            {
                var count = await client.GetStream().ReadAsync(buffer, timeout.Token);
                if (count == 0)
                {
                    return false;
                }

                text += System.Text.Encoding.ASCII.GetString(buffer, 0, count);
            }

            return true;
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Where a command is, or null.</summary>
    protected static string? FindOnPath(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Select(folder => Path.Combine(folder, name))
        .FirstOrDefault(File.Exists);

    /// <summary>A missing server skips the test on a laptop and fails it on a build server (CI=true).</summary>
    protected static string Require(string? path, string howToGetIt) => path ?? throw new FileNotFoundException(howToGetIt);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await KillAsync();
        if (System.IO.Directory.Exists(Directory))
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }
    }
}
