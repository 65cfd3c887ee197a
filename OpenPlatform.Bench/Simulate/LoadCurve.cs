using System.Globalization;

namespace OpenPlatform.Bench.Simulate;

/// <summary>What partners ask for, second by second.</summary>
/// <param name="Name">As it is asked for.</param>
/// <param name="Seconds">How long it lasts.</param>
/// <param name="RateAt">Requests a second.</param>
/// <param name="SharesAt">Of the plans, the top one first; together 1.</param>
/// <param name="ZoneLostAt">Null: none is.</param>
internal sealed record LoadCurve(string Name, double Seconds, Func<double, double> RateAt, Func<double, IReadOnlyList<double>> SharesAt, double? ZoneLostAt = null, double? ZoneBackAt = null)
{
    public const double Minute = 60, Hour = 3600;

    /// <summary>Top, standard, free: assumed, as every share is until somebody records his own.</summary>
    private static readonly double[] Shares = [0.1, 0.3, 0.6];

    /// <summary>A day: ten times as much in the afternoon as at night, a little less at noon.</summary>
    public static LoadCurve Diurnal(double quiet) => new("diurnal", 24 * Hour,
        t => quiet * (5.5 - (4.5 * Math.Cos(2 * Math.PI * ((t / Hour) - 3) / 24)) - Math.Exp(-Math.Pow((t / Hour) - 12.5, 2))), static _ => Shares);

    /// <summary>Within ten seconds twenty times as much, of every plan; after ten minutes it ebbs away.</summary>
    public static LoadCurve Flash(double quiet) => new("flash", Hour, t => quiet * t switch
    {
        < 10 * Minute => 1,
        < (10 * Minute) + 10 => 1 + (19 * (t - (10 * Minute)) / 10),
        < 20 * Minute => 20,
        _ => 1 + (19 * Math.Exp(-(t - (20 * Minute)) / (2 * Minute))),
    }, static _ => Shares);

    /// <summary>A steady load of five times the quiet one; after ten minutes one zone of three is lost, after forty it is back.</summary>
    public static LoadCurve Zone(double quiet) => new("zone", Hour, _ => 5 * quiet, static _ => Shares, 10 * Minute, 40 * Minute);

    /// <summary>A recorded load: lines of <c>seconds,requests per second[,share of the top plan[,share of the next]]</c>, in order; between two lines it goes straight. Other lines that hold no number first are comments.</summary>
    /// <exception cref="FormatException">A line is something else.</exception>
    public static LoadCurve Recorded(string path)
    {
        var points = new List<(double At, double Rate, double[] Shares)>();
        foreach (var (number, line) in File.ReadLines(path).Index())
        {
            var cells = line.Split(',', StringSplitOptions.TrimEntries);
            if (line.Trim().Length == 0 || line[0] == '#' || (number == 0 && !double.TryParse(cells[0], CultureInfo.InvariantCulture, out _)))
            {
                continue;
            }

            double Cell(int column, double otherwise) => column >= cells.Length ? otherwise
                : double.TryParse(cells[column], CultureInfo.InvariantCulture, out var value) && value >= 0 ? value
                : throw new FormatException($"{path}, line {number + 1}: '{cells[column]}' is not a number from 0 on.");
            var (at, rate) = (Cell(0, 0), cells.Length > 1 ? Cell(1, 0) : throw new FormatException($"{path}, line {number + 1}: no requests per second."));
            var top = Cell(2, Shares[0]);
            var next = Cell(3, cells.Length > 2 ? (1 - top) * Shares[1] / (Shares[1] + Shares[2]) : Shares[1]);
            if (top + next > 1)
            {
                throw new FormatException($"{path}, line {number + 1}: the shares are more than 1.");
            }

            if (points.Count > 0 && at <= points[^1].At)
            {
                throw new FormatException($"{path}, line {number + 1}: {at} s is not after the line before.");
            }

            points.Add((at, rate, [top, next, 1 - top - next]));
        }

        if (points.Count < 2)
        {
            throw new FormatException($"{path}: a load needs two lines or more.");
        }

        var index = 0; // asked in order
        return new(Path.GetFileNameWithoutExtension(path), points[^1].At - points[0].At, t =>
        {
            var from = Find(t);
            var to = points[Math.Min(from + 1, points.Count - 1)];
            var share = to.At == points[from].At ? 0 : Math.Clamp((t + points[0].At - points[from].At) / (to.At - points[from].At), 0, 1);
            return points[from].Rate + ((to.Rate - points[from].Rate) * share);
        }, t => points[Find(t)].Shares);

        int Find(double t)
        {
            var at = t + points[0].At;
            index = points[index].At > at ? 0 : index;
            while (index + 1 < points.Count && points[index + 1].At <= at)
            {
                index++;
            }

            return index;
        }
    }
}
