using System.Diagnostics;
using System.Globalization;

namespace OpenPlatform.Bench.Propagation;

/// <summary>The process of <see cref="SteadyLoad"/>, from the bench's side.</summary>
internal sealed class SteadyLoadProcess : IDisposable
{
    private readonly Process _process;

    private SteadyLoadProcess(Process process) => _process = process;

    public int Id => _process.Id;

    public static SteadyLoadProcess Start(int port, string key, int perSecond, IEnumerable<string> paths) => new(Process.Start(
        new ProcessStartInfo("dotnet", [Platform.Program, SteadyLoad.Command, $"{port}", key, $"{perSecond}", .. paths])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            Environment = { ["DOTNET_gcServer"] = "0", ["DOTNET_TieredCompilation"] = "0" },
        })!);

    /// <summary>What is sent from now on belongs to <paramref name="part"/>, a word.</summary>
    public async Task BeginAsync(string part)
    {
        await _process.StandardInput.WriteLineAsync(part);
        await _process.StandardInput.FlushAsync();
        if (await _process.StandardOutput.ReadLineAsync() != part)
        {
            throw new InvalidOperationException("The load generator has ended.");
        }
    }

    /// <summary>Ends it: the requests of each part, and what failed.</summary>
    public async Task<(IReadOnlyDictionary<string, List<LoadSample>> Parts, IReadOnlyList<string> Failures)> EndAsync()
    {
        await _process.StandardInput.WriteLineAsync();
        await _process.StandardInput.FlushAsync();
        var parts = new Dictionary<string, List<LoadSample>>(StringComparer.Ordinal);
        var failures = new List<string>();
        while (await _process.StandardOutput.ReadLineAsync() is { Length: > 0 } line)
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words[0] == SteadyLoad.Failed)
            {
                failures.Add(line);
            }
            else
            {
                parts[words[0]] = [.. words.Skip(1).Chunk(2).Select(static pair => new LoadSample(Number(pair[0]), Number(pair[1])))];
            }
        }

        return (parts, failures);

        static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }
}

/// <summary>One request.</summary>
/// <param name="Milliseconds">From before it was sent until its answer was there.</param>
/// <param name="LateMilliseconds">How much later than planned it was sent.</param>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
internal readonly record struct LoadSample(double Milliseconds, double LateMilliseconds);
