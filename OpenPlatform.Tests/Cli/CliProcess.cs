using System.Diagnostics;

namespace OpenPlatform.Tests.Cli;

/// <summary>The command-line tool as a process, with a configuration folder of its own.</summary>
internal sealed class CliProcess : IDisposable
{
    private readonly DirectoryInfo _home = Directory.CreateTempSubdirectory("openplatform-cli-");
    private readonly Dictionary<string, string> _environment = new(StringComparer.Ordinal);

    /// <summary>Where it keeps its servers, and where tests may put files.</summary>
    public string Home => _home.FullName;

    public CliProcess With(string variable, string value)
    {
        _environment[variable] = value;
        return this;
    }

    public Task<CliResult> RunAsync(params string[] arguments) => RunAsync("", arguments);

    /// <param name="input">What comes on standard input.</param>
    public async Task<CliResult> RunAsync(string input, string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Home,
            Environment = { ["XDG_CONFIG_HOME"] = Home, ["HOME"] = Home },
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "openplatform.dll"));
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in _environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var stop = TestContext.Current.CancellationToken;
        try
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(stop);
            var errors = process.StandardError.ReadToEndAsync(stop);
            await process.WaitForExitAsync(stop).WaitAsync(TimeSpan.FromSeconds(60), stop);
            return new(process.ExitCode, await output, await errors);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    public void Dispose() => _home.Delete(recursive: true);
}

internal sealed record CliResult(int ExitCode, string Output, string Errors)
{
    public CliResult Ended(int exitCode)
    {
        Assert.True(ExitCode == exitCode, $"exit code {ExitCode}\n{Output}\n{Errors}");
        return this;
    }
}
