using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>One of the platform's services as a process of its own, on a port that the system chooses.</summary>
public sealed partial class ServiceProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServiceProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Read(line.Data);
        process.ErrorDataReceived += (_, line) => Read(line.Data);
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => _address.TrySetException(new InvalidOperationException("The service ended: " + Output));
    }

    public int Id => _process.Id;

    public Uri Address { get; private set; } = null!;

    public string Output => string.Join('\n', _output);

    /// <param name="assembly">File name beside the tests, for example <c>Orders.dll</c>.</param>
    /// <param name="settings">Environment variables; <c>ASPNETCORE_URLS</c> is set already.</param>
    /// <param name="through">A command that ends by becoming the one whose words follow it; null: none.</param>
    public static async Task<ServiceProcess> StartAsync(string assembly, IReadOnlyDictionary<string, string> settings, string[]? through = null)
    {
        string[] command = [.. through ?? [], "dotnet", Path.Combine(AppContext.BaseDirectory, assembly)];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            WorkingDirectory = AppContext.BaseDirectory,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["ASPNETCORE_URLS"] = "http://127.0.0.1:0", ["ASPNETCORE_ENVIRONMENT"] = "Production" },
        };
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        var service = new ServiceProcess(Process.Start(start)!);
        service._process.BeginOutputReadLine();
        service._process.BeginErrorReadLine();
        try
        {
            service.Address = await service._address.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            return service;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    /// <summary>kill -9.</summary>
    public void Kill() => _process.Kill();

    /// <summary>SIGTERM: please end.</summary>
    public void Terminate() => Send(Signal.Terminate);

    /// <param name="signal">One of <see cref="Signal"/>.</param>
    public void Send(int signal) => Signal.Send(_process.Id, signal);

    /// <summary>Stops it in the middle of whatever it does: connections stay open and nothing answers.</summary>
    public void Freeze() => Signal.Send(_process.Id, Signal.Stop);

    public void Thaw() => Signal.Send(_process.Id, Signal.Continue);

    public bool HasExited => _process.HasExited;

    public async Task<int> ExitCodeAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(40));
        return _process.ExitCode;
    }

    private void Read(string? line)
    {
        if (line is not null)
        {
            _output.Enqueue(line);
            if (Listening().Match(line) is { Success: true } match)
            {
                _address.TrySetResult(new Uri(match.Groups["url"].Value));
            }
        }
    }

    [GeneratedRegex(@"Now listening on: (?<url>http://\S+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Listening();


    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }
}
