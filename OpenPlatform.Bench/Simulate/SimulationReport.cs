using System.Globalization;
using System.Text;

namespace OpenPlatform.Bench.Simulate;

/// <summary>Results as a table and as pictures.</summary>
internal static class SimulationReport
{
    public static string Table(IEnumerable<(LoadCurve Load, SceneResult Result)> results)
    {
        var text = new StringBuilder("| Load | Gateways | Backends | Changes of direction | Mean latency of 50 %, 99 %, ms | Worst second, ms | Shed: top, standard, free plan | Replica-hours: gateways, backends | Core-hours | |\n|---|---|---|---|---|---|---|---|---|---|\n");
        foreach (var (load, result) in results)
        {
            var shed = result.OfferedByPlan.Zip(result.ShedByPlan, static (offered, shed) => offered > 0 ? (100 * shed / offered).ToString("0.##", CultureInfo.InvariantCulture) + " %" : "–");
            text.Append(CultureInfo.InvariantCulture,
                $"| {load.Name} | {Range(result, static m => m.Gateways)} | {Range(result, static m => m.Backends)} | {result.GatewayTurns}, {result.BackendTurns} | {result.LatencyAt(0.5):0.0}, {result.LatencyAt(0.99):0.0} | {result.Moments.Max(static m => m.LatencyMilliseconds):0} | {string.Join(", ", shed)} | {result.GatewayHours:0.0}, {result.BackendHours:0.0} | {result.CoreHours:0.0} | {Verdict(result)} |\n");
        }

        return text.ToString();
    }

    public static string Verdict(SceneResult result) => (result.Flaps, result.TopIsShed) switch
    {
        (false, false) => "holds",
        (true, false) => "FLAPS",
        (false, true) => "SHEDS THE TOP PLAN",
        _ => "FLAPS AND SHEDS THE TOP PLAN",
    };

    private static string Range(SceneResult result, Func<Moment, int> count) => $"{result.Moments.Min(count)} to {result.Moments.Max(count)}";

    private const int Width = 860, Left = 70, Right = 150, PanelHeight = 110, Gap = 40, Top = 56, Points = 400;

    private sealed record Line(string Name, string Colour, Func<Moment, double> Value);

    /// <summary>Panels above each other over the same time.</summary>
    public static string Chart(string title, SceneResult result)
    {
        (string Title, Line[] Lines)[] panels =
        [
            ("requests per second", [new("asked", "#afb8c1", static m => m.Offered), new("served", "#0969da", static m => m.Served)]),
            ("replicas", [new("gateways wanted", "#0969da", static m => m.Gateways), new("gateways serving", "#80b3ee", static m => m.GatewaysServing), new("backends wanted", "#bc4c00", static m => m.Backends), new("backends serving", "#f0a37a", static m => m.BackendsServing)]),
            ("latency, ms", [new("mean", "#0969da", static m => m.LatencyMilliseconds)]),
            ("shed, %", [new("all plans", "#cf222e", static m => m.Offered > 0 ? 100 * m.Shed / m.Offered : 0), new("top plan, of all", "#1f2328", static m => m.Offered > 0 ? 100 * m.TopShed / m.Offered : 0)]),
            (string.Create(CultureInfo.InvariantCulture, $"cost: cores that are set aside, {result.CoreHours:0.0} core-hours in all"), [new("all", "#1a7f37", m => (m.GatewaysPaid * result.Gateway.Cores) + (m.BackendsPaid * result.Backend.Cores))]),
        ];
        var height = Top + (panels.Length * (PanelHeight + Gap));
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {height}\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<rect width=\"{Width}\" height=\"{height}\" fill=\"#ffffff\"/>\n<text x=\"16\" y=\"26\" font-size=\"15\" font-weight=\"600\" fill=\"#1f2328\">{title}</text>\n");
        var seconds = result.Moments[^1].At + 1;
        for (var i = 0; i < panels.Length; i++)
        {
            Panel(svg, panels[i].Title, panels[i].Lines, result.Moments, Top + (i * (PanelHeight + Gap)), seconds, last: i == panels.Length - 1);
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static void Panel(StringBuilder svg, string title, Line[] lines, IReadOnlyList<Moment> moments, int y, double seconds, bool last)
    {
        const int plotWidth = Width - Left - Right;
        var most = Round(Math.Max(1, lines.Max(line => moments.Max(line.Value))));
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"{y - 6}\" fill=\"#57606a\">{title}</text>\n");
        for (var i = 0; i <= 2; i++)
        {
            var at = y + PanelHeight - (PanelHeight * i / 2d);
            svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{Left}\" x2=\"{Left + plotWidth}\" y1=\"{at:0.#}\" y2=\"{at:0.#}\" stroke=\"#d8dee4\"/><text x=\"{Left - 8}\" y=\"{at + 4:0.#}\" text-anchor=\"end\" fill=\"#57606a\">{most * i / 2:#,0.##}</text>\n");
        }

        // Of each stretch that is a point wide the greatest: a short peak is what one looks for.
        var stretch = Math.Max(1, moments.Count / Points);
        foreach (var (index, line) in lines.Index())
        {
            svg.Append(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"{line.Colour}\" stroke-width=\"1.6\" points=\"");
            for (var i = 0; i < moments.Count; i += stretch)
            {
                var value = 0d;
                for (var j = i; j < Math.Min(i + stretch, moments.Count); j++)
                {
                    value = Math.Max(value, line.Value(moments[j]));
                }

                svg.Append(CultureInfo.InvariantCulture, $"{Left + (plotWidth * i / (double)moments.Count):0.#},{y + PanelHeight - (PanelHeight * value / most):0.#} ");
            }

            svg.Length--;
            svg.Append(CultureInfo.InvariantCulture, $"\"/>\n<text x=\"{Left + plotWidth + 10}\" y=\"{y + 14 + (index * 17)}\" fill=\"{line.Colour}\">{line.Name}</text>\n");
        }

        if (last)
        {
            var hours = seconds > 2 * 3600;
            for (var i = 0; i <= 6; i++)
            {
                svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left + (plotWidth * i / 6d):0.#}\" y=\"{y + PanelHeight + 20}\" text-anchor=\"middle\" fill=\"#57606a\">{seconds * i / 6 / (hours ? 3600 : 60):0.#} {(hours ? "h" : "min")}</text>\n");
            }
        }
    }

    /// <summary>The next of 1, 2 and 5 times a power of ten.</summary>
    private static double Round(double value)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(value)));
        return power * new[] { 1, 2, 5, 10 }.First(f => f * power >= value * 0.999999);
    }
}
