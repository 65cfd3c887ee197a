using System.Diagnostics.Metrics;

namespace OpenPlatform.Gateway.Observability;

/// <summary>
/// Durations by status and by whatever else tells series apart, counted in plain buckets: an increment and an addition, where a histogram looks its
/// series up by all labels. The histogram gets them once a second, in one go.
/// </summary>
/// <param name="groups">Kinds of request that are told apart.</param>
/// <param name="labels">Those of a group and status.</param>
internal sealed class DurationTable(int groups, Func<int, int, KeyValuePair<string, object?>[]> labels)
{
    private const int LeastStatus = 100;
    private const int MostStatus = 999;

    /// <summary>In seconds, as the conventions of OpenTelemetry have them.</summary>
    public static readonly double[] Boundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

    private static readonly long[] Ends = [.. Boundaries.Select(static seconds => (long)(seconds * TimeSpan.TicksPerSecond))];

    private readonly Cell?[]?[] _cells = new Cell?[groups][];

    /// <summary>Allocates only for the first of its kind.</summary>
    public void Add(int group, int status, TimeSpan took)
    {
        var index = Math.Clamp(status, LeastStatus, MostStatus) - LeastStatus;
        var row = Volatile.Read(ref _cells[group]) ?? Interlocked.CompareExchange(ref _cells[group], new Cell?[MostStatus - LeastStatus + 1], null) ?? _cells[group]!;
        var cell = Volatile.Read(ref row[index]) ?? Interlocked.CompareExchange(ref row[index], new(labels(group, status)), null) ?? row[index]!;
        cell.Add(took.Ticks);
    }

    /// <summary>Gives the histogram what has come since the last time. One caller at a time.</summary>
    public void Flush(Histogram<double> histogram)
    {
        foreach (var row in _cells)
        {
            foreach (var cell in row ?? [])
            {
                cell?.Flush(histogram);
            }
        }
    }

    private sealed class Cell(KeyValuePair<string, object?>[] labels)
    {
        private readonly long[] _counts = new long[Ends.Length + 1];
        private readonly long[] _sums = new long[Ends.Length + 1];

        public void Add(long ticks)
        {
            var bucket = 0;
            while (bucket < Ends.Length && ticks > Ends[bucket])
            {
                bucket++;
            }

            Interlocked.Add(ref _sums[bucket], ticks);
            Interlocked.Increment(ref _counts[bucket]);
        }

        /// <summary>All of a bucket as its mean: number, sum and buckets are exact.</summary>
        public void Flush(Histogram<double> histogram)
        {
            for (var bucket = 0; bucket < _counts.Length; bucket++)
            {
                var count = Interlocked.Exchange(ref _counts[bucket], 0);
                if (count == 0)
                {
                    continue;
                }

                // One that is being added just now may have its sum here and its number in the next turn: the mean stays inside its bucket.
                var mean = (double)Interlocked.Exchange(ref _sums[bucket], 0) / count / TimeSpan.TicksPerSecond;
                mean = Math.Clamp(mean, bucket == 0 ? 0 : double.BitIncrement(Boundaries[bucket - 1]), bucket == Ends.Length ? double.MaxValue : Boundaries[bucket]);
                for (; count > 0; count--)
                {
                    histogram.Record(mean, labels);
                }
            }
        }
    }
}
