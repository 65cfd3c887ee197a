namespace OpenPlatform.Catalog.Problems;

/// <summary>A value, or the problem that is the answer instead. A fault, such as a lost database, is an exception.</summary>
public readonly struct Outcome<T>
{
    private readonly T? _value;

    private Outcome(T? value, CatalogProblem? problem)
    {
        _value = value;
        Problem = problem;
    }

    public CatalogProblem? Problem { get; }

    /// <summary>The value.</summary>
    /// <exception cref="InvalidOperationException">There is a problem instead.</exception>
    public T Value => Problem is null ? _value! : throw new InvalidOperationException(Problem.Title);

    public static implicit operator Outcome<T>(T value) => new(value, null);

    public static implicit operator Outcome<T>(CatalogProblem problem) => new(default, problem);
}
