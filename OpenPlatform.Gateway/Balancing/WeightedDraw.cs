namespace OpenPlatform.Gateway.Balancing;

/// <summary>Draws an index with a chance in proportion to its weight, in constant time: the alias method (Walker 1974; Vose 1991).</summary>
internal sealed class WeightedDraw
{
    private readonly double[] _keep;
    private readonly int[] _alias;

    public WeightedDraw(double[] weights)
    {
        var mean = weights.Sum() / weights.Length;
        _keep = [.. weights.Select(weight => weight / mean)];
        _alias = [.. Enumerable.Range(0, weights.Length)];
        var (small, large) = (new Stack<int>(), new Stack<int>());
        for (var i = 0; i < _keep.Length; i++)
        {
            (_keep[i] < 1 ? small : large).Push(i);
        }

        // Each column is filled up to 1 from a large one.
        while (small.Count > 0 && large.TryPop(out var donor))
        {
            var column = small.Pop();
            _alias[column] = donor;
            _keep[donor] -= 1 - _keep[column];
            (_keep[donor] < 1 ? small : large).Push(donor);
        }

        // What is left is 1 but for rounding.
        foreach (var rest in small.Concat(large))
        {
            _keep[rest] = 1;
        }
    }

    public int Next()
    {
        var place = Random.Shared.NextDouble() * _keep.Length;
        var column = (int)place;
        return place - column < _keep[column] ? column : _alias[column];
    }

    /// <summary>Two different indices; the first one weighted. At least two must exist.</summary>
    public (int First, int Second) NextTwo()
    {
        var first = Next();
        for (var draws = 0; draws < 3; draws++)
        {
            if (Next() is var second && second != first)
            {
                return (first, second);
            }
        }

        // One weight outweighs all others: any of those will do.
        var other = Random.Shared.Next(_keep.Length - 1);
        return (first, other < first ? other : other + 1);
    }
}
