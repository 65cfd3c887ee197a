using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace OpenPlatform.Bench.Compare;

/// <summary>What one run of wrk saw.</summary>
internal sealed record LoadResult(long Requests, double PerSecond, double P99Microseconds, long Errors);

/// <summary>wrk: one thread, keep-alive connections, the same request again and again.</summary>
internal static partial class Load
{
    /// <param name="key">An API key, or with <paramref name="isHeader"/> a whole header.</param>
    public static async Task<LoadResult> RunAsync(int port, string path, string key, int connections, double seconds, bool isHeader = false)
    {
        var start = new ProcessStartInfo("wrk",
        [
            "-t1", $"-c{connections}", $"-d{Math.Max(1, (int)seconds)}s", "--latency", "-H", isHeader ? key : $"X-Api-Key: {key}", $"http://127.0.0.1:{port}{path}",
        ])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        };
        using var wrk = Process.Start(start)!;
        var text = await wrk.StandardOutput.ReadToEndAsync();
        await wrk.WaitForExitAsync();
        var requests = Requests().Match(text);
        if (!requests.Success)
        {
            throw new InvalidOperationException($"wrk said: {text}");
        }

        var p99 = Percentile().Match(text);
        var unit = p99.Groups["unit"].Value switch { "us" => 1, "ms" => 1e3, _ => 1e6 };
        var errors = Errors().Match(text) is { Success: true } failed ? long.Parse(failed.Groups["count"].Value, CultureInfo.InvariantCulture) : 0;
        return new(
            long.Parse(requests.Groups["count"].Value, CultureInfo.InvariantCulture),
            double.Parse(PerSecond().Match(text).Groups["value"].Value, CultureInfo.InvariantCulture),
            double.Parse(p99.Groups["value"].Value, CultureInfo.InvariantCulture) * unit,
            errors);
    }

    [GeneratedRegex(@"(?<count>\d+) requests in", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Requests();

    [GeneratedRegex(@"Requests/sec:\s+(?<value>[\d.]+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex PerSecond();

    [GeneratedRegex(@"99%\s+(?<value>[\d.]+)(?<unit>us|ms|s)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Percentile();

    [GeneratedRegex(@"Non-2xx or 3xx responses: (?<count>\d+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Errors();
}
