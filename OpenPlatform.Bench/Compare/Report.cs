using System.Globalization;
using System.Text;

namespace OpenPlatform.Bench.Compare;

/// <summary>The result as a table and as a chart.</summary>
internal static class Report
{
    private const string Begin = "<!-- compare: begin -->", End = "<!-- compare: end -->";

    public static string Table(IReadOnlyList<Row> rows)
    {
        var text = new StringBuilder("| Proxy | CPU µs a request | ÷ plain YARP | requests a second | p99 µs | system calls a request |\n|---|---|---|---|---|---|\n");
        foreach (var row in rows.OrderBy(static r => r.Ratio))
        {
            text.Append(CultureInfo.InvariantCulture,
                $"| {row.Name} | {row.CpuMicroseconds:0.0} | {row.Ratio:0.00} | {row.PerSecond:0} | {row.P99Microseconds:0} | {(row.SystemCalls is { } calls ? calls.ToString("0.0", CultureInfo.InvariantCulture) : "–")} |\n");
        }

        return text.ToString();
    }

    /// <summary>Replaces what stands between the marks of docs/performance.md, and the chart beside it.</summary>
    public static void Write(IReadOnlyList<Row> rows, string how)
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "OpenPlatform.sln")))
        {
            root = Path.GetDirectoryName(root)!;
        }

        var page = Path.Combine(root, "docs/performance.md");
        var text = File.ReadAllText(page);
        var measured = $"{Begin}\nMeasured on {DateTime.UtcNow:yyyy-MM-dd}: {Environment.ProcessorCount} cores, {how}, medians.\n\n{Table(rows)}{End}";
        File.WriteAllText(page, text[..text.IndexOf(Begin, StringComparison.Ordinal)] + measured + text[(text.IndexOf(End, StringComparison.Ordinal) + End.Length)..]);
        File.WriteAllText(Path.Combine(root, "docs/images/performance.svg"), Chart(rows));
    }

    private static string Chart(IReadOnlyList<Row> rows)
    {
        const int Left = 300, Bar = 26, Gap = 12, Width = 860;
        var most = rows.Max(static r => r.CpuMicroseconds);
        var svg = new StringBuilder();
        var height = 60 + (rows.Count * (Bar + Gap));
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {height}\" font-family=\"system-ui, sans-serif\" font-size=\"14\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect width=\"{Width}\" height=\"{height}\" fill=\"#ffffff\"/>\n<text x=\"16\" y=\"30\" font-weight=\"600\" fill=\"#1f2328\">CPU time of a request, µs (less is better)</text>\n");
        var y = 50;
        foreach (var row in rows.OrderBy(static r => r.CpuMicroseconds))
        {
            var length = row.CpuMicroseconds / most * (Width - Left - 130);
            var colour = row.Name == Bench.Gateway ? "#0969da" : row.Name == Bench.Reference ? "#57606a" : "#afb8c1";
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left - 10}\" y=\"{y + 18}\" text-anchor=\"end\" fill=\"#1f2328\">{row.Name}</text>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{Left}\" y=\"{y}\" width=\"{length:0.0}\" height=\"{Bar}\" rx=\"3\" fill=\"{colour}\"/>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left + length + 8:0.0}\" y=\"{y + 18}\" fill=\"#1f2328\">{row.CpuMicroseconds:0.0} ({row.Ratio:0.00}×)</text>\n");
            y += Bar + Gap;
        }

        return svg.Append("</svg>\n").ToString();
    }
}
