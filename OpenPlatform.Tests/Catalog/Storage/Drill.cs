using System.Diagnostics;
using System.Text.RegularExpressions;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Catalog.Storage;

/// <summary>Runs the commands of a page of <c>docs/operations</c>, as they stand there: a block of bash is known by its first line, a comment.</summary>
internal static partial class Drill
{
    /// <summary>Starts the block that begins with <paramref name="title"/>.</summary>
    public static Process Start(string page, string title, string runAs, IReadOnlyDictionary<string, string> variables)
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations", page));
        var block = Block().Matches(text).Select(static match => match.Groups["code"].Value).Single(code => code.StartsWith("# " + title, StringComparison.Ordinal));
        var start = new ProcessStartInfo("setpriv", [.. runAs.Split(' ', StringSplitOptions.RemoveEmptyEntries), "bash", "-euo", "pipefail", "-c", block])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/tmp",
        };
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>Runs the block to its end, which must be a good one.</summary>
    public static async Task RunAsync(string page, string title, string runAs, IReadOnlyDictionary<string, string> variables)
    {
        using var process = Start(page, title, runAs, variables);
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(120));
        Assert.True(process.ExitCode == 0, $"{title}: {await output}{await errors}");
    }

    [GeneratedRegex("```bash\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Block();
}
