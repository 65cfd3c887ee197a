namespace OpenPlatform.Tests.Architecture;

/// <summary>The checkout these tests were built from.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    public static IReadOnlyList<string> ProjectFiles() =>
        [.. Directory.EnumerateFiles(Root, "*.csproj", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2 })];

    public static bool IsSample(string project) => Directory.Exists(Path.Combine(Root, "samples", project));

    /// <summary>The cells of each row under the Markdown table header <paramref name="header"/> in <paramref name="file"/>.</summary>
    public static IReadOnlyList<string[]> Table(string file, string header)
    {
        var lines = File.ReadAllLines(Path.Combine(Root, file));
        var start = Array.IndexOf(lines, header);
        Assert.True(start >= 0, $"{file} has no table headed: {header}");
        return [.. lines.Skip(start + 2).TakeWhile(static l => l.StartsWith('|'))
            .Select(static l => l.Trim('|').Split('|').Select(static c => c.Trim()).ToArray())];
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "OpenPlatform.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("No OpenPlatform.sln above the test assembly.");
    }
}
